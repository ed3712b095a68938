# For a Spack repository of one's own: copy to REPOSITORY/packages/dtrain/package.py, then `spack install dtrain`.
# It builds a checked-out tree (spack dev-build dtrain@main), as there is no release yet.
from spack.package import *


class Dtrain(MesonPackage):
    """Trains neural networks data-parallel over MPI ranks: the same bits on any number of ranks, resumed anywhere."""

    license("MIT")
    maintainers()

    version("main")

    variant("json", default=True, description="Export to other frameworks, weights in safetensors (jansson)")
    variant("zip", default=True, description="Archives of NumPy (libzip)")
    variant("onnx", default=False, description="Export to ONNX (protobuf-c and ONNX's schema)")
    variant("pictures", default=True, description="Import of PNG and JPEG pictures")
    variant("library", default=True, description="libdtrain, for programs that call what was trained (a serial HDF5)")

    depends_on("c", type="build")
    depends_on("meson@0.56:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("python@3.7:", type="build")
    depends_on("mpi@3:")
    depends_on("hdf5@1.10:1.14")
    depends_on("hdf5~mpi", when="+library")
    depends_on("libyaml")
    depends_on("random123", type="build")
    depends_on("xxhash")
    depends_on("libsodium")
    depends_on("zlib-api")
    depends_on("jansson", when="+json")
    depends_on("libzip", when="+zip")
    depends_on("protobuf-c", when="+onnx")
    depends_on("libpng@1.6.31:", when="+pictures")
    depends_on("libjpeg-turbo", when="+pictures")

    conflicts("+onnx", when="~json", msg="export to ONNX needs jansson")

    def meson_args(self):
        def feature(option, variant):
            return "-D{0}={1}".format(option, "enabled" if self.spec.satisfies("+" + variant) else "disabled")

        return ["-Dtests=false", feature("json", "json"), feature("zip", "zip"), feature("onnx", "onnx"),
                feature("png", "pictures"), feature("jpeg", "pictures"), feature("library", "library")]
