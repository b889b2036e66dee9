#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/time.hpp"
#include "weir/core/units.hpp"

namespace weir::net {
class TlsClient;
}

namespace weir::policy {
class Classifier;
}

namespace weir::proxy {

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

/// TLS to the relay, in Postfix's words (smtp_tls_security_level).
struct TlsSettings {
    enum class Level : std::uint8_t {
        none,     ///< clear text
        may,      ///< if the relay offers it, whatever its certificate says; clear text if it fails
        encrypt,  ///< always, whatever the certificate says
        secure,   ///< always, and the certificate must be good and for the relay's name
    };

    Level level = Level::may;
    std::optional<bool> wrapper;   ///< TLS from the first byte; unset: on port 465
    std::string ca_file;           ///< empty: the CAs that the system trusts
    std::string server_name;       ///< to expect in the certificate; empty: the relay's name in the configuration
    std::string certificate_file;  ///< shown to a relay that asks for one; empty: none
    std::string key_file;          ///< empty: it is in certificate_file

    bool operator==(const TlsSettings&) const = default;
};

/// Whom Weir logs in as. Exactly one of the three sources is set.
struct AuthSettings {
    std::string username;
    std::string password_file;            ///< its first line
    std::string password_env;             ///< name of an environment variable
    std::string token_file;               ///< an OAuth 2.0 access token, which somebody else keeps fresh
    std::vector<std::string> mechanisms;  ///< in order of preference; empty: smtp::default_mechanisms()
    bool allow_plaintext_auth = false;

    bool operator==(const AuthSettings&) const = default;
};

/// How long the relay may take: always less than Postfix waits for us, so that Postfix hears a 451 for one message and
/// does not time out, which counts against the whole relay. After the final dot it is the other way round: giving up
/// first would turn a slow success into a duplicate.
struct RelayTimeouts {
    core::Duration envelope = std::chrono::seconds(270);     ///< for the reply to MAIL, and each RCPT; Postfix: 300 s
    core::Duration data = std::chrono::seconds(110);         ///< for the reply to DATA; Postfix: 120 s
    core::Duration body = std::chrono::seconds(170);         ///< to take 64 KiB of the body; Postfix: 180 s
    core::Duration end_of_body = std::chrono::seconds(660);  ///< for the reply to the final dot; Postfix: 600 s

    bool operator==(const RelayTimeouts&) const = default;
};

struct UpstreamSettings {
    std::vector<RelayAddress> relays;  ///< in order of preference; never empty
    TlsSettings tls;
    std::optional<AuthSettings> auth;
    unsigned max_connections = 10;  ///< over all workers
    unsigned max_messages_per_connection = 100;
    std::string ehlo_name;  ///< empty: this machine's host name
    core::Duration connect_timeout = std::chrono::seconds(20);
    core::Duration wait_for_connection = std::chrono::seconds(20);
    core::Duration idle_timeout = std::chrono::seconds(30);
    std::vector<core::SocketAddress> resolver;  ///< name servers; empty: those of /etc/resolv.conf
    RelayTimeouts timeouts;
    ContractSettings contract;

    bool operator==(const UpstreamSettings&) const = default;
};

/// What a client may take: how many sessions there are, and how long each of its requests may last.
struct SessionSettings {
    std::size_t max = 16'000;  ///< over all workers; further connections wait, unanswered, until one ends
    core::Duration command_timeout = std::chrono::minutes(5);
    core::Duration body_timeout = std::chrono::minutes(3);
    std::uint64_t min_body_rate = 500;                            ///< bytes per second; 0: none
    core::Duration timeout_when_full = std::chrono::seconds(10);  ///< of a session between two messages

    bool operator==(const SessionSettings&) const = default;
};

/// What the sessions of a worker go by. Taken once per session, swapped as a whole by a reload.
struct Settings {
    std::string hostname;                     ///< in the greeting and EHLO replies
    std::vector<core::Cidr> trusted_clients;  ///< who may connect at all; their XFORWARD is believed
    SessionSettings sessions;
    UpstreamSettings upstream;
    std::shared_ptr<const net::TlsClient> tls;             ///< made from upstream.tls; null when its level is none
    std::shared_ptr<const policy::Classifier> classifier;  ///< says what a reply of the relay means

    bool operator==(const Settings&) const = default;
};

}  // namespace weir::proxy
