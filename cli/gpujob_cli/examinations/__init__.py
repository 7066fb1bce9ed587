"""What `gpujob doctor` looks at, one module for each thing; `order.examine` goes through them all."""
