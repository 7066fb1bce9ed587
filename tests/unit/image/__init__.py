"""The image room without torch: decisions, texts, files, and the set of images with a stand-in for the pipeline."""
