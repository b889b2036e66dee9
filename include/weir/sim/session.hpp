#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "weir/core/time.hpp"
#include "weir/sim/model.hpp"
#include "weir/sim/observer.hpp"
#include "weir/sim/settings.hpp"
#include "weir/smtp/command.hpp"

namespace weir::sim {

class BodyReader;

/// What the driver does next. Timeouts are data: the driver owns the timer.
struct Read {
    core::Duration timeout{};
};  ///< then call feed(); after the timeout timed_out()
struct Write {
    std::string bytes;
};  ///< all of it
struct Wait {
    core::Duration time{};
};  ///< read nothing meanwhile
struct Close {
    bool reset = false;
};  ///< and forget the session
using Action = std::variant<Read, Write, Wait, Close>;

/// The server's side of one SMTP dialogue (RFC 5321, 1652, 1870, 2034, 2920, 3461, 6531), strict in what it takes.
///
/// It asks the model at every stage and tells the observer what came of it. It takes commands as they are pipelined,
/// collects the replies, and stops where an answer takes its time.
///
/// Owns:    its place in the model, given back by the destructor, which also reports an unfinished transaction.
/// Time:    steady time, given by the caller.
/// Threads: that of the model and the observer, which must outlive it.
class Session {
public:
    struct Shared {
        const Settings& settings;
        IspModel& model;
        Observer& observer;
    };

    Session(const Shared& shared, const core::IpAddress& client, std::uint64_t connection);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    [[nodiscard]] Action next(core::TimePoint now);
    void feed(std::string_view bytes) { input_ += bytes; }
    void timed_out();

private:
    enum class State : std::uint8_t { new_born, commands, body, ended };

    /// What has been decided and is still to be done: a wait, then bytes, then perhaps the end.
    struct Step {
        core::Duration wait{};
        std::string bytes{};
        Answer::Then then = Answer::Then::go_on;
    };

    bool advance(core::TimePoint now);
    bool advance_command(core::TimePoint now);
    bool advance_body(core::TimePoint now);
    void greet(core::TimePoint now);
    void run(std::string_view line, core::TimePoint now);

    void on_hello(const smtp::Command& command, core::TimePoint now);
    void on_mail(const smtp::Command& command, core::TimePoint now);
    void on_rcpt(const smtp::Command& command, core::TimePoint now);
    void on_data(const smtp::Command& command, core::TimePoint now);
    void on_dot(core::TimePoint now);
    void on_rset(core::TimePoint now);
    void on_quit(core::TimePoint now);

    [[nodiscard]] bool is_allowed(const smtp::Parameter& parameter, bool is_mail) const;
    /// Takes FROM:<path> or TO:<path>; says what is wrong and returns false.
    [[nodiscard]] bool take_path(const smtp::Command& command, bool is_mail, smtp::PathArgument& out);

    void say(int code, std::string_view enhanced, std::string_view text);
    void mistake(Violation violation, int code, std::string_view enhanced, std::string_view text);
    /// The answer's own words, or these; `yes` is a whole reply with CRLF.
    void respond(const Answer& answer, std::string_view yes);
    void push(Step step);
    [[nodiscard]] std::string yes(int code, std::string_view enhanced, std::string_view text) const;
    void check_pipelining(smtp::Verb verb);

    [[nodiscard]] static Transaction::Recipient result(std::string address, const Answer& answer);
    void end_transaction(const Answer& answer, Stage stage);
    void abort_transaction();
    void report_transaction();

    Shared shared_;
    std::uint64_t connection_;
    core::IpAddress client_;
    Visit visit_;
    State state_ = State::new_born;
    bool greeted_ = false;   ///< EHLO or HELO was answered
    bool smtputf8_ = false;  ///< of this transaction
    bool too_long_ = false;  ///< the rest of an overlong line is skipped
    std::string input_;
    std::size_t taken_ = 0;  ///< of input_
    std::string out_;
    std::deque<Step> steps_;
    std::string helo_;
    std::unique_ptr<Transaction> transaction_;
    std::size_t accepted_recipients_ = 0;
    std::uint64_t messages_ = 0;  ///< accepted on this connection
    std::unique_ptr<BodyReader> body_;
    bool body_begun_ = false;
};

}  // namespace weir::sim
