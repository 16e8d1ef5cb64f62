"""Runs for TensorBoard, MLflow and Weights & Biases."""
