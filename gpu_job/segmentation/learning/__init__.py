"""How the segmentation network is trained and judged. Nothing here is needed to cut a dance."""
