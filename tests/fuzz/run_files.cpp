// Stands in for libFuzzer where there is none: runs each file of the corpus, and each input that once broke something,
// so that they are tests like any other.
//
//     x_fuzz DIRECTORY...

#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz/fuzz.hpp"

namespace {

std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

int run_directory(const std::filesystem::path& directory) {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const std::string input = read_file(entry.path());
        try {
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
        } catch (const std::exception& error) {
            std::fprintf(stderr, "%s: %s\n", entry.path().c_str(), error.what());
            return -1;
        }
        ++files;
    }
    return files;
}

}  // namespace

int main(int argc, char** argv) {
    int files = 0;
    for (int i = 1; i < argc; ++i) {
        const int ran = run_directory(argv[i]);
        if (ran < 0) return 1;
        files += ran;
    }
    std::printf("%d files\n", files);
    return files > 0 ? 0 : 1;
}
