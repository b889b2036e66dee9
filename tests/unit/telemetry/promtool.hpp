#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

namespace weir::telemetry {

struct PromtoolResult {
    int status = 0;
    std::string output{};
};

/// Prometheus' own opinion of `input`: "check metrics", or "check rules /dev/stdin".
inline PromtoolResult promtool(const std::string& command, const std::string& input) {
    // ctest runs the tests of one program at the same time.
    const std::string base = testing::TempDir() + "weir_promtool." + std::to_string(getpid());
    std::ofstream(base + ".in") << input;
    const std::string line = WEIR_PROMTOOL " " + command + " <" + base + ".in >" + base + ".out 2>&1";
    PromtoolResult result{.status = std::system(line.c_str())};
    std::ostringstream said;
    said << std::ifstream(base + ".out").rdbuf();
    result.output = said.str();
    unlink((base + ".in").c_str());
    unlink((base + ".out").c_str());
    return result;
}

}  // namespace weir::telemetry
