"""Readers of computation graphs: ONNX, TensorFlow SavedModel, Keras."""
