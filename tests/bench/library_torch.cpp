// Times of one network, 16-64-64-8 with ReLU, called through libdtrain and through libtorch (TorchScript, frozen, without
// gradients, one thread): library_torch RUN. Rounds alternate, and the ratio is that of each one's best.
#include <ATen/Parallel.h>
#include <torch/script.h>

#include <chrono>
#include <cstdio>
#include <vector>

#include "dtrain/dtrain.h"

static double seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Call> static double of_a_call(int calls, Call call) {
    double began = seconds();
    for (int i = 0; i < calls; i++) call();
    return (seconds() - began) / calls;
}

static torch::jit::Module script() {
    torch::jit::Module module("mlp");
    const int sizes[] = {16, 64, 64, 8};
    for (int i = 0; i < 3; i++) {
        std::string n = std::to_string(i);
        module.register_parameter("w" + n, torch::randn({sizes[i + 1], sizes[i]}) / 8, false);
        module.register_parameter("b" + n, torch::zeros({sizes[i + 1]}), false);
    }
    module.define("def forward(self, x):\n"
                  "    x = torch.relu(torch.linear(x, self.w0, self.b0))\n"
                  "    x = torch.relu(torch.linear(x, self.w1, self.b1))\n"
                  "    return torch.linear(x, self.w2, self.b2)\n");
    module.eval();
    return torch::jit::freeze(module);
}

int main(int argc, char **argv) {
    if (argc < 2) return 2;
    torch::InferenceMode no_gradients;
    at::set_num_threads(1);
    double began = seconds();
    dtrain_model *model;
    dtrain_error error;
    if (dtrain_open(&model, argv[1], 0, &error) != DTRAIN_OK) return std::puts(error.message), 1;
    double opened = seconds();
    std::vector<float> x(1024 * 16, 0.25F), y(1024 * 8);
    dtrain_predict(model, nullptr, 1, x.data(), y.data(), &error);
    std::printf("open %.1f ms, with the first call %.1f ms\n", 1e3 * (opened - began), 1e3 * (seconds() - began));

    torch::jit::Module module = script();
    for (int rows : {1, 16, 1024}) {
        dtrain_workspace *workspace;
        if (dtrain_workspace_create(&workspace, model, rows, 0, &error) != DTRAIN_OK) return std::puts(error.message), 1;
        std::vector<torch::jit::IValue> inputs{torch::from_blob(x.data(), {rows, 16})};
        int calls = rows < 64 ? 5000 : 200;
        auto ours = [&] { dtrain_predict(model, workspace, rows, x.data(), y.data(), &error); };
        auto theirs = [&] { module.forward(inputs); };
        of_a_call(100, theirs); // the profiling executor compiles
        double a = 1e9, b = 1e9;
        for (int round = 0; round < 20; round++) {
            a = std::min(a, of_a_call(calls, ours));
            b = std::min(b, of_a_call(calls, theirs));
        }
        std::printf("%4d rows  libdtrain %8.3f us  libtorch %8.3f us  ratio %.1f\n", rows, 1e6 * a, 1e6 * b, b / a);
        dtrain_workspace_destroy(workspace);
    }
    dtrain_close(model);
}
