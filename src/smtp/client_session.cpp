#include "weir/smtp/client_session.hpp"

#include <utility>

namespace weir::smtp {

ClientSession::ClientSession(std::string ehlo_name) : ehlo_name_(std::move(ehlo_name)) {}

void ClientSession::feed(std::string_view bytes) {
    while (!bytes.empty() && !error_) {
        const auto used = parser_.feed(bytes);
        if (!used) {
            error_ = used.error();
            return;
        }
        bytes.remove_prefix(*used);
        if (parser_.ready()) on_reply(parser_.take());
    }
}

void ClientSession::on_reply(Reply reply) {
    if (awaiting_ == unwritten_) {
        // Nothing that was sent asks for it: "421 idle timeout" before a close, a relay that has lost count, or words
        // put into its mouth (response injection). It must never be taken for the answer to the next command.
        refusal_ = std::move(reply);
        error_ = core::Errc::unexpected_reply;
        return;
    }
    --awaiting_;
    switch (stage_) {
        case Stage::greeting:
            if (reply.code != 220) return refuse(std::move(reply));
            send("EHLO " + ehlo_name_ + "\r\n");
            stage_ = Stage::ehlo;
            return;
        case Stage::ehlo:
            if (reply.code == 250) {
                extensions_ = parse_extensions(reply);
                stage_ = Stage::ready;
            } else if (reply.is_permanent()) {
                // RFC 5321 3.2: an old server that does not know EHLO is greeted with HELO.
                send("HELO " + ehlo_name_ + "\r\n");
                stage_ = Stage::helo;
            } else {
                refuse(std::move(reply));
            }
            return;
        case Stage::helo:
            if (reply.code != 250) return refuse(std::move(reply));
            stage_ = Stage::ready;
            return;
        case Stage::ready:
            replies_.push_back(std::move(reply));
            return;
    }
}

void ClientSession::refuse(Reply reply) {
    refusal_ = std::move(reply);
    error_ = core::Errc::relay_refused;
}

std::string ClientSession::take_output() {
    unwritten_ = 0;
    return std::exchange(output_, {});
}

void ClientSession::send(std::string_view line) {
    output_ += line;
    ++awaiting_;
    ++unwritten_;
}

std::optional<Reply> ClientSession::take_reply() {
    if (replies_.empty()) return std::nullopt;
    Reply reply = std::move(replies_.front());
    replies_.pop_front();
    return reply;
}

}  // namespace weir::smtp
