"""Which recipe is of which network of the assets."""

AT_HAND = {
    "retinaface": "retinaface_mnet025.onnx",
    "yunet": "yunet_n.onnx",
    "scrfd-500m": "scrfd_500m.onnx",
    "scrfd-2.5g": "scrfd_2.5g.onnx",
    "mobilefacenet": "mobilefacenet_128.onnx",
    "mobilefacenet-casia": "mobilefacenet_casia_128.onnx",
    "mobileface-v2": "mobileface_v2_256.onnx",
    "edgeface-xxs": "edgeface_xxs_512.onnx",
    "edgeface-xs": "edgeface_xs_512.onnx",
    "lightqnet": "lightqnet.onnx",
}
