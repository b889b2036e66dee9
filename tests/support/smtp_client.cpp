#include "support/smtp_client.hpp"

#include <cctype>
#include <initializer_list>
#include <utility>

namespace weir::test {

namespace {

struct Attribute {
    std::string_view name;
    std::string_view value;
};

void add_command(std::vector<std::string>& commands, std::initializer_list<Attribute> attributes) {
    std::string command = "XFORWARD";
    for (const auto& [name, value] : attributes)
        if (!value.empty()) command.append(" ").append(name).append("=").append(value);
    if (command != "XFORWARD") commands.push_back(std::move(command));
}

bool begins_with_code(std::string_view line) {
    const auto is_digit = [&](std::size_t at) { return std::isdigit(static_cast<unsigned char>(line[at])) != 0; };
    return line.size() >= 4 && is_digit(0) && is_digit(1) && is_digit(2) && (line[3] == ' ' || line[3] == '-');
}

}  // namespace

Forwarded Forwarded::remote(std::string address, std::string ident) {
    return {.name = "client.example",
            .address = std::move(address),
            .port = "4711",
            .protocol = "ESMTP",
            .helo = "client.example",
            .ident = std::move(ident),
            .source = "REMOTE"};
}

Forwarded Forwarded::local() {
    Forwarded origin;
    origin.source = "LOCAL";
    return origin;
}

std::vector<std::string> xforward(const Forwarded& origin) {
    std::vector<std::string> commands;
    add_command(commands, {{"NAME", origin.name}, {"ADDR", origin.address}, {"PORT", origin.port}});
    add_command(
        commands,
        {{"PROTO", origin.protocol}, {"HELO", origin.helo}, {"IDENT", origin.ident}, {"SOURCE", origin.source}});
    return commands;
}

const Heard& Delivery::decisive() const {
    if (dot) return *dot;
    if (mail.code >= 400) return mail;
    for (const Heard& reply : recipients)
        if (reply.code >= 400) return reply;
    return data;
}

SmtpClient::SmtpClient(std::uint16_t port, const std::string& source) : socket_(Socket::connect(port, source)) {}

std::vector<std::string> SmtpClient::greet(std::string_view name) {
    expect(220);
    return say_ehlo(name);
}

std::vector<std::string> SmtpClient::say_ehlo(std::string_view name) {
    send("EHLO " + std::string(name) + "\r\n");
    const std::string text = expect(250).text;

    std::vector<std::string> capabilities;
    for (auto end = text.find('\n'); end != std::string::npos;) {
        const auto begin = end + 1;
        end = text.find('\n', begin);
        capabilities.push_back(text.substr(begin, end == std::string::npos ? end : end - begin));
    }
    return capabilities;
}

Delivery SmtpClient::deliver(const Message& message) {
    const auto forwarded = xforward(message.origin);
    std::string segment;
    for (const std::string& command : forwarded) segment += command + "\r\n";
    segment += "MAIL FROM:<" + message.sender + "> SIZE=" + std::to_string(message.body.size()) + "\r\n";
    for (const std::string& recipient : message.recipients) segment += "RCPT TO:<" + recipient + ">\r\n";
    send(segment + "DATA\r\n");

    for (std::size_t i = 0; i < forwarded.size(); ++i) expect(250);
    Delivery delivery;
    delivery.mail = read_reply();
    for (std::size_t i = 0; i < message.recipients.size(); ++i) delivery.recipients.push_back(read_reply());
    delivery.data = read_reply();

    if (delivery.data.code == 354) {
        send(message.body + ".\r\n");
        delivery.dot = read_reply();
    } else {
        command("RSET");
    }
    return delivery;
}

Heard SmtpClient::read_reply() {
    Heard reply;
    for (;;) {
        auto line = socket_.read_line();
        if (!line) throw TestFailure("the connection was closed where a reply was due");
        if (!line->ends_with("\r\n") || !begins_with_code(*line)) throw TestFailure("not a reply: " + *line);
        line->erase(line->size() - 2);

        const int code = std::stoi(line->substr(0, 3));
        if (reply.code != 0 && reply.code != code) throw TestFailure("codes differ within one reply: " + *line);
        if (reply.code != 0) reply.text += '\n';
        reply.code = code;
        reply.text += line->substr(4);
        if ((*line)[3] == ' ') return reply;
    }
}

Heard SmtpClient::expect(int code) {
    Heard reply = read_reply();
    if (reply.code != code) throw TestFailure("expected " + std::to_string(code) + ", heard " + reply.summary());
    return reply;
}

Heard SmtpClient::command(std::string_view line) {
    send(std::string(line) + "\r\n");
    return read_reply();
}

void SmtpClient::quit() {
    send("QUIT\r\n");
    expect(221);
    expect_close();
}

void SmtpClient::expect_close() {
    if (const std::string rest = socket_.read_some(); !rest.empty()) throw TestFailure("unexpected: " + rest);
}

}  // namespace weir::test
