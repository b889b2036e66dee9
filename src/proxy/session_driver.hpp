#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transaction.hpp"
#include "weir/net/connection.hpp"
#include "weir/policy/engine.hpp"
#include "weir/policy/reply_facts.hpp"
#include "weir/smtp/received.hpp"
#include "weir/smtp/server_session.hpp"
#include "weir/telemetry/log.hpp"
#include "worker.hpp"

namespace weir::proxy {

/// Runs one session with Postfix to its end: `smtp::ServerSession` decides what is said, `policy::Engine` what may go,
/// `Transaction` carries it to the relay. This only connects the three, counts and logs.
///
/// Threads: one worker's.
class SessionDriver {
public:
    /// `tls` is what STARTTLS is answered with; null where it is not offered.
    SessionDriver(Worker& worker, net::Connection connection, const core::IpAddress& peer, std::string lane,
                  std::shared_ptr<const net::TlsServer> tls);

    net::Task<> run();

    /// To end as soon as that costs Postfix nothing.
    void drain();

    /// Ends it with 421 4.4.2 if it has been waiting for a command since `limit` or earlier, outside any transaction.
    void end_if_idle_since(core::TimePoint limit);

    /// To end now, unless the relay has the final dot and its reply is due.
    void abort();

private:
    /// The message under way: what it was charged, and what the log will say of it.
    struct Message {
        core::TimePoint started;
        core::Duration waited_for_client{};
        policy::Ticket ticket;
        std::optional<Transaction> transaction;
        smtp::QueueIdSniffer queue_id;
        policy::Origin origin;
        std::string client;
        std::string sender;
        std::string first_recipient;
        std::vector<std::pair<smtp::Slot, std::size_t>> charged_recipients;  ///< by slot, until answered
        std::size_t recipients_charged = 0;
        std::size_t recipients_accepted = 0;
        std::size_t recipients_refused = 0;
        std::size_t recipients_held = 0;
        std::uint64_t bytes = 0;
        std::uint64_t bytes_charged = 0;
        std::optional<smtp::Reply> recipient_refusal;  ///< the last one
        std::optional<smtp::Reply> relays_verdict;     ///< on the whole message
        std::string reason;
        std::string limit;
        std::uint32_t ref = 0;
        bool committed = false;     ///< DATA was accepted: it counts
        bool held_in_body = false;  ///< it grew over a limit as it streamed by
    };

    net::Task<> on(const smtp::AskMail& ask);
    net::Task<> on(const smtp::AskRcpt& ask);
    net::Task<> on(const smtp::Settle& settle);
    net::Task<> on(const smtp::AskData& ask);
    net::Task<> on(const smtp::Body& body);
    net::Task<> on(const smtp::BodyRefused& refused);
    net::Task<> on(const smtp::EndOfBody& end);
    net::Task<> on(const smtp::Abandon& abandon);
    net::Task<> on(const smtp::Read& read);
    net::Task<> on(const smtp::Write& write);
    net::Task<> on(const smtp::StartTls& start_tls);
    net::Task<> on(const smtp::Close& close);

    net::Task<bool> take_connection(const smtp::AskMail& ask);
    net::Task<> hand_out_replies();
    void begin_message(const smtp::MailRequest& request);
    [[nodiscard]] policy::Origin origin() const;
    [[nodiscard]] smtp::Reply hold_reply(const policy::Hold& hold);
    void report_observed(const std::vector<policy::Hold>& observed);
    void refuse(smtp::Slot slot, smtp::Reply reply, telemetry::Outcome outcome, std::string_view reason);
    void conclude(telemetry::Outcome outcome, std::string reply);
    void account();
    void on_answered(const Transaction::Answered& answered);
    void count_reply(const smtp::Reply& reply, policy::Stage stage);

    Worker& worker_;
    Parts& parts_;
    std::shared_ptr<const Settings> settings_;
    net::Connection connection_;
    core::IpAddress peer_;
    std::string lane_;
    std::shared_ptr<const net::TlsServer> tls_;
    std::uint64_t id_;
    smtp::ServerSession session_;
    std::unique_ptr<Message> message_;
    std::optional<std::pair<telemetry::Outcome, std::string>> verdict_;  ///< of message_, not yet counted and logged
    core::TimePoint request_due_since_{};  ///< since when a new request has been waited for
    bool reading_ = false;
    bool idle_too_long_ = false;
    bool awaiting_verdict_ = false;  ///< the relay has the final dot
    bool draining_ = false;
    bool aborted_ = false;
    bool closed_ = false;
};

}  // namespace weir::proxy
