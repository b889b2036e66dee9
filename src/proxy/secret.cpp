#include "secret.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace weir::proxy {
namespace {

using core::Errc;

/// The first line, without its end: editors and `kubectl create secret` differ in whether there is one.
core::Result<std::string> first_line_of(const std::string& file, std::string& problem) {
    std::ifstream stream(file);
    std::string line;
    if (!stream) {
        problem = file + ": " + std::strerror(errno);
        return Errc::secret_unavailable;
    }
    std::getline(stream, line);
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty()) {
        problem = file + " is empty";
        return Errc::secret_unavailable;
    }
    return line;
}

core::Result<std::string> variable(const std::string& name, std::string& problem) {
    const char* value = std::getenv(name.c_str());  // NOLINT: nothing changes the environment while workers run
    if (value != nullptr && *value != '\0') return std::string(value);
    problem = "environment variable " + name + " is not set";
    return Errc::secret_unavailable;
}

}  // namespace

core::Result<smtp::Credentials> read_credentials(const AuthSettings& auth, std::string& problem) {
    const bool is_token = !auth.token_file.empty();
    const auto secret = !auth.password_env.empty()
                            ? variable(auth.password_env, problem)
                            : first_line_of(is_token ? auth.token_file : auth.password_file, problem);
    if (!secret) return secret.error();
    return smtp::Credentials{
        .username = auth.username, .secret = *secret, .is_token = is_token, .mechanisms = auth.mechanisms};
}

}  // namespace weir::proxy
