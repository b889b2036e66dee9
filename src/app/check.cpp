#include "check.hpp"

#include <sysexits.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "weir/config/settings.hpp"

namespace weir::app {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) lines.push_back(line);
    return lines;
}

void print_json(const std::vector<std::string>& errors, const std::vector<std::string>& warnings) {
    boost::json::object answer;
    answer["ok"] = errors.empty();
    answer["errors"] = boost::json::array(errors.begin(), errors.end());
    answer["warnings"] = boost::json::array(warnings.begin(), warnings.end());
    std::cout << boost::json::serialize(answer) << '\n';
}

}  // namespace

int check(const std::filesystem::path& file, bool json) {
    std::vector<std::string> errors;
    std::vector<std::string> warnings;
    try {
        warnings = config::load_file(file).warnings;
    } catch (const config::ConfigError& error) {
        errors = lines_of(error.what());
    }
    if (json) {
        print_json(errors, warnings);
    } else {
        for (const std::string& line : errors) std::cerr << line << '\n';
        for (const std::string& line : warnings) std::cerr << line << '\n';
        if (errors.empty()) std::cout << file.string() << ": OK\n";
    }
    return errors.empty() ? EX_OK : EX_CONFIG;
}

}  // namespace weir::app
