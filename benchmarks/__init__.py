"""How fast gpujob is, as ratios: each figure stands next to the raw rate of the same client on the same server."""
