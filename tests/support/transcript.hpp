#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "weir/smtp/command.hpp"
#include "weir/smtp/server_session.hpp"

namespace weir::test {

/// Both sides of a session with Postfix, read along by rules of its own: what the peer has sent is cut into commands
/// and bodies, and every one of them must have got one well-formed reply of a kind that belongs to it, in order.
///
/// Errors: each call may throw BrokenPromise.
class Transcript {
public:
    void peer_sent(std::string_view bytes) { sent_ += bytes; }
    void weir_said(std::string_view bytes);

    enum class About : std::uint8_t { mail, rcpt, data, dot };

    /// A question went to the driver. The reply to what it is about, when it is tagged(), must be the answer.
    void asked(smtp::Slot slot, About about, std::string_view path = {});

    /// DATA was answered with 354; body bytes that are passed on; a body that is not passed on any more.
    void body_began() { bodies_.emplace_back(); }
    void body_passed(std::string_view bytes) { bodies_.back().bytes += bytes; }
    void body_refused() { bodies_.back().refused = true; }

    void draining() { draining_ = true; }

    /// The session wants to read: all that has come whole is answered, and nothing else was said.
    void audit_idle();

    enum class End : std::uint8_t { by_session, timed_out, lost };

    /// The session is over. After `lost` replies may be missing.
    void audit_end(End end);

    /// "250 2.1.5 [slot 7]": an answer that names its question.
    [[nodiscard]] static smtp::Reply tagged(int code, smtp::Slot slot);

    [[nodiscard]] const std::string& said() const { return said_; }
    [[nodiscard]] std::size_t answered() const { return answered_; }  ///< commands and bodies

private:
    struct Question {
        About about;
        std::string path;
        std::size_t transaction;
    };
    struct Heard {
        int code = 0;
        std::string text;
    };
    struct Passed {
        std::string bytes;
        bool refused = false;
    };

    void hear_line(std::string_view line);
    [[nodiscard]] bool audit_next();
    [[nodiscard]] bool audit_body();
    [[nodiscard]] Heard take_reply();
    void audit_command(std::string_view line, const Heard& reply);
    void audit_tag(const smtp::Command& command, const Heard& reply);
    void audit_repeated(const smtp::Command& command, const Question& question, int code) const;
    void audit_recipient(const smtp::Command& command, int code);
    [[nodiscard]] std::string_view rest() const { return std::string_view(sent_).substr(audited_); }

    std::string sent_;
    std::size_t audited_ = 0;  ///< how much of sent_ has its replies
    std::string said_;
    std::size_t heard_until_ = 0;
    std::optional<Heard> partial_;
    std::deque<Heard> heard_;  ///< replies not yet matched with a command
    std::map<smtp::Slot, Question> questions_;
    std::size_t transactions_ = 0;
    std::size_t audited_transaction_ = 0;
    smtp::Slot last_tag_ = 0;
    std::deque<Passed> bodies_;  ///< not yet matched with what was sent
    std::size_t answered_ = 0;
    bool greeted_ = false;
    bool in_body_ = false;
    bool sender_accepted_ = false;
    bool leaving_ = false;  ///< a reply was heard after which the session may end
    bool draining_ = false;
};

}  // namespace weir::test
