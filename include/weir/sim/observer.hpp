#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/ip.hpp"
#include "weir/sim/model.hpp"
#include "weir/sim/stage.hpp"

namespace weir::sim {

/// How a transaction, or one recipient of it, ended.
enum class Outcome : std::uint8_t {
    accepted,
    deferred,  ///< 4xx
    rejected,  ///< 5xx
    dropped,   ///< a fault ended the connection, or said something that is no refusal
    aborted,   ///< the client went away, or sent RSET or EHLO
};

/// What a client did that an SMTP client does not do.
enum class Violation : std::uint8_t {
    syntax,               ///< 500 or 501
    sequence,             ///< 503
    line_too_long,        ///< a command line over 4096 characters
    bare_newline,         ///< a command or body line ends in LF without CR, or has a CR inside
    pipelining,           ///< commands in one group that was not offered, or that RFC 2920 3.1 does not allow
    unoffered_parameter,  ///< a parameter of an extension that EHLO did not offer
};

[[nodiscard]] std::string_view to_string(Outcome outcome);
[[nodiscard]] std::string_view to_string(Violation violation);

/// What is kept of a body. Sizes are without the line with the final dot.
struct BodyFacts {
    std::uint64_t size = 0;       ///< as the recipient gets it (and as RFC 1870 counts)
    std::uint64_t wire_size = 0;  ///< as it came, dots stuffed
    std::uint32_t crc32 = 0;      ///< of what the recipient gets; zlib's
    std::uint64_t bare_newlines = 0;
    std::string message_id;
    std::string subject;
    std::string queue_id;  ///< of the last Postfix before us: topmost Received header
};

/// One MAIL command and what came of it.
struct Transaction {
    struct Recipient {
        std::string address;
        int code = 0;
        std::string reply;  ///< first line, with the code
    };

    std::uint64_t connection = 0;
    core::IpAddress client;
    std::string helo;
    std::string sender;
    std::vector<Recipient> recipients;
    BodyFacts body;
    std::string id;  ///< "queued as"; empty unless accepted
    Outcome outcome = Outcome::aborted;
    Reason reason = Reason::none;
    Stage stage = Stage::mail;  ///< how far it came
    std::string reply;          ///< the one that decided, first line, with the code; empty when nothing was said
};

/// A connection that was not greeted with 220.
struct RefusedConnection {
    std::uint64_t connection = 0;
    core::IpAddress client;
    Reason reason = Reason::none;
    std::string reply;
};

/// Told of everything that happens, in order, by the sessions of one thread.
class Observer {
public:
    Observer() = default;
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;
    virtual ~Observer() = default;

    virtual void connected() = 0;
    virtual void disconnected() = 0;
    virtual void connection_refused(const RefusedConnection& refused) = 0;
    virtual void transaction_ended(const Transaction& transaction) = 0;
    virtual void refused(Reason reason) = 0;  ///< every answer that is not a yes, recipients included
    virtual void violated(Violation violation) = 0;
};

}  // namespace weir::sim
