#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/core/time.hpp"
#include "weir/core/units.hpp"
#include "weir/sim/reply_style.hpp"
#include "weir/sim/stage.hpp"
#include "weir/smtp/reply.hpp"

namespace weir::sim {

/// So many messages or recipients per window, as a provider's contract puts it.
struct LimitSettings {
    enum class Unit : std::uint8_t { messages, recipients };
    enum class Window : std::uint8_t {
        sliding,  ///< in any window at all: the strictest reading
        fixed,    ///< windows one after the other, counted from the first connection
        bucket,   ///< a token bucket: `burst` at once, then `rate`
    };
    enum class Per : std::uint8_t { host, sender, sender_domain };

    std::string name = "limit";
    Unit unit = Unit::messages;
    core::Quota quota;
    Window window = Window::sliding;
    Per per = Per::host;
    Stage stage = Stage::mail;  ///< where it is checked: greeting, mail, rcpt, data or dot
    smtp::Reply reply = styled_reply(Style::generic, Occasion::rate).reply;
};

/// A host that behaves like a spammer is shut out, for longer if it does not stop knocking.
struct ReputationSettings {
    /// More than so many within `within` start a block; those that are not set do not count.
    std::optional<std::uint64_t> messages;
    std::optional<std::uint64_t> sender_domains;
    std::optional<double> unknown_users;  ///< share of recipients, 0 to 1
    std::uint64_t min_recipients = 20;    ///< below it no share is taken
    core::Duration within = std::chrono::minutes(10);

    core::Duration block = std::chrono::minutes(10);
    core::Duration max_block = std::chrono::hours(4);  ///< from its beginning, however it is lengthened
    core::Duration lengthen_by{};                      ///< by every attempt during the block
    double lengthen_factor = 1;                        ///< the whole block, by every attempt

    /// Said to new sessions, and at MAIL on open ones. Not set: that door stays open.
    std::optional<smtp::Reply> greeting;
    std::optional<smtp::Reply> mail;
};

/// The first attempt of a host, sender and recipient is put off; one after `delay` and within `lifetime` passes.
struct GreylistSettings {
    core::Duration delay = std::chrono::minutes(5);
    core::Duration lifetime = std::chrono::hours(24);
    smtp::Reply reply = styled_reply(Style::generic, Occasion::greylisted).reply;
};

struct UnknownUserSettings {
    std::vector<std::string> addresses;  ///< lower case
    std::string pattern;                 ///< RE2, on the lower-cased address; empty: none
    double fraction = 0;                 ///< of all addresses, decided by a hash: an address stays what it is
    smtp::Reply reply = styled_reply(Style::generic, Occasion::unknown_user).reply;
};

/// Something that goes wrong at one stage.
struct FaultSettings {
    struct Drop {};   ///< the connection ends (FIN) without a word
    struct Reset {};  ///< the connection is reset (RST)
    struct Stall {
        core::Duration time{};
    };  ///< nothing happens for so long, then all goes on as if nothing was
    struct Say {
        smtp::Reply reply;
    };  ///< instead of the right reply; after a 421 the connection ends
    struct Raw {
        std::string bytes;
    };  ///< instead of the right reply, as they are

    struct Probability {
        double share = 0;
    };  ///< of the times, by a seeded generator
    struct Every {
        std::uint64_t count = 1;
    };  ///< the n-th, 2n-th, ... time
    struct First {
        std::uint64_t count = 1;
    };  ///< the first n times

    Stage stage = Stage::mail;
    std::variant<Drop, Reset, Stall, Say, Raw> what;
    std::variant<Probability, Every, First> when = Every{1};
};

/// How the ISP decides; everything IspModel needs.
struct IspSettings {
    std::string hostname = "relay.isp.example";
    std::array<core::Duration, stage_names.size()> latency{};  ///< before each stage's reply
    std::optional<std::uint32_t> max_connections;              ///< per client host
    smtp::Reply max_connections_reply = styled_reply(Style::generic, Occasion::connections).reply;
    std::optional<std::uint32_t> max_messages_per_connection;
    smtp::Reply max_messages_reply = styled_reply(Style::generic, Occasion::messages_per_connection).reply;
    std::optional<std::uint32_t> recipients_per_message;
    smtp::Reply recipients_per_message_reply = styled_reply(Style::generic, Occasion::recipients_per_message).reply;
    std::vector<LimitSettings> limits;
    std::optional<ReputationSettings> reputation;
    std::optional<GreylistSettings> greylisting;
    std::optional<UnknownUserSettings> unknown_users;
    std::vector<FaultSettings> faults;
    std::uint64_t seed = 1;
};

/// What the server side of the dialogue offers in its answer to EHLO.
struct ExtensionSettings {
    bool ehlo = true;  ///< false: an old server that knows HELO only
    bool size = true;
    bool eight_bit_mime = true;
    bool smtputf8 = true;
    bool dsn = true;
    bool pipelining = true;
    bool enhanced_status_codes = true;
    std::uint64_t max_size = 50ULL << 20;  ///< enforced whether offered or not
};

struct Endpoint {
    core::IpAddress address;
    std::uint16_t port = 0;  ///< 0: any free one
};

/// The whole of a weir-sim configuration.
struct Settings {
    Endpoint listen;
    std::optional<Endpoint> admin;
    std::filesystem::path record;  ///< empty: none
    ExtensionSettings extensions;
    IspSettings isp;
};

}  // namespace weir::sim
