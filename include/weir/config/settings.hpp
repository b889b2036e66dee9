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

namespace weir::config {

/// A listening address with a port.
struct Endpoint {
    core::IpAddress address;
    std::uint16_t port = 0;

    bool operator==(const Endpoint&) const = default;
};

struct ListenSettings {
    Endpoint endpoint;
    std::string lane = "default";

    bool operator==(const ListenSettings&) const = default;
};

/// One relay in Postfix's relayhost syntax: "[host]:port", "[host]", "host:port".
struct RelayAddress {
    std::string host;
    std::uint16_t port = 25;
    bool lookup_mx = true;  ///< false when written in brackets
    std::string text;       ///< as configured; the `relay` label of metrics

    bool operator==(const RelayAddress&) const = default;
};

/// What the ISP allows, enforced as the outermost limit.
struct ContractSettings {
    std::optional<core::Quota> messages;
    std::optional<core::Quota> recipients;
    std::optional<std::uint32_t> recipients_per_message;

    bool operator==(const ContractSettings&) const = default;
};

struct UpstreamSettings {
    std::vector<RelayAddress> relays;  ///< in order of preference; never empty
    unsigned max_connections = 10;     ///< over all workers
    unsigned max_messages_per_connection = 100;
    std::string ehlo_name;             ///< empty: this machine's host name
    core::Duration connect_timeout = std::chrono::seconds(20);
    core::Duration wait_for_connection = std::chrono::seconds(20);
    core::Duration idle_timeout = std::chrono::seconds(30);
    ContractSettings contract;

    bool operator==(const UpstreamSettings&) const = default;
};

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
    UpstreamSettings upstream;
    policy::Settings policy;            ///< the contract is its first limit, per relay
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
