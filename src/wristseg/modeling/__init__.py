"""The network: EfficientViT-B0 features, FPN decoder, start weights, checkpoints."""
