#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/time.hpp"
#include "weir/policy/settings.hpp"
#include "weir/proxy/settings.hpp"

namespace weir::config {

using Endpoint = core::SocketAddress;

/// What a listener answers STARTTLS with. PEM files, read at the start and at every reload.
struct ListenTls {
    std::string certificate_file;
    std::string key_file;  ///< empty: it is in certificate_file

    bool operator==(const ListenTls&) const = default;
};

struct ListenSettings {
    Endpoint endpoint;
    std::string lane = "default";
    std::optional<ListenTls> tls{};  ///< none: STARTTLS is not offered

    bool operator==(const ListenSettings&) const = default;
};

using proxy::ContractSettings;
using proxy::RelayAddress;
using proxy::RelayTimeouts;
using proxy::SessionSettings;
using proxy::UpstreamSettings;

struct LogSettings {
    enum class Level : std::uint8_t { debug, info, warning, error };
    enum class Format : std::uint8_t { text, json };
    Level level = Level::info;
    Format format = Format::text;

    bool operator==(const LogSettings&) const = default;
};

/// The whole configuration, checked: every value is one the daemon can run with.
struct Settings {
    std::vector<ListenSettings> listen;
    std::vector<core::Cidr> trusted_clients;
    unsigned workers = 1;
    SessionSettings sessions;
    UpstreamSettings upstream;
    policy::Settings policy;                     ///< the contract is its first limit, per relay
    std::vector<policy::ClassifyRule> classify;  ///< feedback.classify
    std::optional<Endpoint> admin;
    LogSettings log;
    std::vector<std::string> warnings;  ///< FILE:LINE:COL: key: what has no effect, or is risky

    bool operator==(const Settings&) const = default;
};

/// Thrown at start-up and by reload; main prints it and exits with 78 (EX_CONFIG).
///
/// what(): one line per mistake, "FILE:LINE:COL: key: what is wrong, what is allowed".
class ConfigError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Reads and checks a file. Throws ConfigError, with every mistake found, not only the first.
[[nodiscard]] Settings load_file(const std::filesystem::path& file);

/// The same for text already in memory; `name` stands for the file in messages.
[[nodiscard]] Settings load_text(std::string_view text, std::string_view name);

}  // namespace weir::config
