#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "support/transcript.hpp"
#include "weir/smtp/server_session.hpp"

namespace weir::test {

/// A ServerSession that is held to what its header promises, whatever its peer and its driver do: the order of its
/// actions, what it passes on, what it says (see Transcript) and what it keeps in memory.
///
/// It has the session's own calls; each throws BrokenPromise when the session does what it must not. Answers should
/// come from Transcript::tagged(), so that a reply can be told to belong to the question.
class WatchedSession {
public:
    explicit WatchedSession(const smtp::ServerOptions& options);

    [[nodiscard]] smtp::Action next();
    void feed(std::string_view bytes);
    void fail(core::Error error);
    void answer(smtp::Slot slot, smtp::Reply reply);
    [[nodiscard]] std::string unsent();
    void drain();
    void tls_done();

    /// The questions without an answer, oldest first.
    [[nodiscard]] const std::vector<smtp::Slot>& open_slots() const { return open_; }

    [[nodiscard]] const smtp::Forwarded& forwarded() const { return session_.forwarded(); }
    [[nodiscard]] const Transcript& transcript() const { return transcript_; }

private:
    enum class Stage : std::uint8_t { none, mail, data, body, refused_body, end };

    void on(const smtp::Read& read);
    void on(const smtp::Write& write);
    void on(const smtp::AskMail& ask);
    void on(const smtp::AskRcpt& ask);
    void on(const smtp::Settle& settle);
    void on(const smtp::AskData& ask);
    void on(const smtp::Body& body);
    void on(const smtp::BodyRefused& refused);
    void on(const smtp::EndOfBody& end);
    void on(const smtp::Abandon& abandon);
    void on(const smtp::StartTls& start_tls);
    void on(const smtp::Close& close);

    void open(smtp::Slot slot, Transcript::About about, std::string_view path = {});
    void heard(smtp::Slot slot, const smtp::Reply& reply);
    template <class Call>
    auto metered(Call call);

    smtp::ServerSession session_;
    Transcript transcript_;
    Stage stage_ = Stage::none;
    std::vector<smtp::Slot> open_;
    smtp::Slot last_slot_ = 0;
    smtp::Slot mail_slot_ = 0;
    bool mail_accepted_ = false;
    bool mail_refused_ = false;
    std::size_t recipients_accepted_ = 0;
    std::string body_end_ = "\r\n";  ///< the last bytes passed, as if a CRLF came before the message
    Transcript::End end_ = Transcript::End::by_session;
    bool waits_for_tls_ = false;
    bool closed_ = false;
    std::ptrdiff_t held_ = 0;  ///< by the session, beyond its own size
    std::ptrdiff_t allowance_;
};

}  // namespace weir::test
