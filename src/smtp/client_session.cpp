#include "weir/smtp/client_session.hpp"

#include <utility>

namespace weir::smtp {

using core::Errc;

ClientSession::ClientSession(ClientOptions options) : options_(std::move(options)) {}

void ClientSession::feed(std::string_view bytes) {
    while (!bytes.empty() && !error_) {
        if (stage_ == Stage::tls) {
            // Response injection (CVE-2021-38371 and its kin): behind the reply to STARTTLS nothing is due in clear
            // text.
            error_ = Errc::unexpected_reply;
            return;
        }
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
            return say_hello();
        case Stage::ehlo:
            return on_ehlo(std::move(reply));
        case Stage::helo:
            if (reply.code != 250) return refuse(std::move(reply));
            return log_in();
        case Stage::starttls:
            return on_starttls(std::move(reply));
        case Stage::auth:
            return on_auth(std::move(reply));
        case Stage::tls:  // feed() sees to it
        case Stage::ready:
            replies_.push_back(std::move(reply));
            return;
    }
}

void ClientSession::say_hello() {
    send("EHLO " + options_.ehlo_name + "\r\n");
    stage_ = Stage::ehlo;
}

void ClientSession::on_ehlo(Reply reply) {
    if (reply.code == 250) {
        extensions_ = parse_extensions(reply);
        offer_ = parse_login_offer(reply);
    } else if (!reply.is_permanent()) {
        return refuse(std::move(reply));
    }
    if (!options_.is_encrypted && options_.start_tls != ClientOptions::StartTls::never) {
        if (offer_.starttls) {
            send("STARTTLS\r\n");
            stage_ = Stage::starttls;
            return;
        }
        if (options_.start_tls == ClientOptions::StartTls::required) {
            error_ = Errc::tls_not_offered;
            return;
        }
    }
    if (reply.code == 250) return log_in();
    // RFC 5321 3.2: an old server that does not know EHLO is greeted with HELO.
    send("HELO " + options_.ehlo_name + "\r\n");
    stage_ = Stage::helo;
}

void ClientSession::on_starttls(Reply reply) {
    if (reply.code == 220) {
        stage_ = Stage::tls;
    } else if (options_.start_tls == ClientOptions::StartTls::required || !(reply.code >= 400) || reply.code == 421) {
        refuse(std::move(reply));
    } else {
        log_in();  // offered, refused, and not required: RFC 3207 4 lets us go on without
    }
}

void ClientSession::tls_started() {
    options_.is_encrypted = true;
    // RFC 3207 4.2: whatever was learnt before the handshake may have been an attacker's word.
    extensions_ = Extensions();
    offer_ = LoginOffer();
    say_hello();
}

void ClientSession::log_in() {
    stage_ = Stage::ready;
    if (!options_.credentials) return;
    if (!options_.is_encrypted && !options_.allow_plaintext_auth) {
        error_ = Errc::auth_needs_tls;
        return;
    }
    sasl_ = SaslClient::choose(offer_.mechanisms, *options_.credentials);
    if (!sasl_) {
        error_ = Errc::auth_unavailable;
        return;
    }
    std::string line = "AUTH " + std::string(sasl_->mechanism());
    if (sasl_->speaks_first()) {
        const auto response = sasl_->step({});
        if (!response) {
            error_ = response.error();
            return;
        }
        // RFC 4954 4: "=" is an initial response of no length.
        line += ' ' + (response->empty() ? "=" : *response);
    }
    send(line + "\r\n");
    stage_ = Stage::auth;
}

void ClientSession::on_auth(Reply reply) {
    if (reply.code == 334) {
        const auto response = sasl_->step(reply.lines.front());
        // RFC 4954 4: "*" calls it off; the relay answers it with 501.
        send(response ? *response + "\r\n" : "*\r\n");
        return;
    }
    if (reply.code != 235 || !sasl_->is_satisfied()) return refuse(std::move(reply), Errc::auth_failed);
    sasl_.reset();
    options_.credentials.reset();
    stage_ = Stage::ready;
}

void ClientSession::refuse(Reply reply, Errc error) {
    refusal_ = std::move(reply);
    error_ = error;
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
