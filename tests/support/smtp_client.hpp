#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/socket.hpp"

namespace weir::test {

/// One reply as the client heard it; `text` has one line per line of the reply, without the code.
struct Heard {
    int code = 0;
    std::string text;

    [[nodiscard]] std::string summary() const { return std::to_string(code) + ' ' + text; }
};

/// What Postfix tells about a message's first reception. Empty attributes are not sent, as Postfix does it.
struct Forwarded {
    std::string name;
    std::string address;
    std::string port;
    std::string protocol;
    std::string helo;
    std::string ident;
    std::string source;

    /// A message that Postfix received by SMTP from `address`.
    [[nodiscard]] static Forwarded remote(std::string address, std::string ident = "4jYR2m5dFHz1cY4G");

    /// A message handed in by sendmail(1), or a bounce: SOURCE=LOCAL and nothing else.
    [[nodiscard]] static Forwarded local();
};

/// The one or two XFORWARD commands Postfix would send.
[[nodiscard]] std::vector<std::string> xforward(const Forwarded& origin);

struct Message {
    Forwarded origin = Forwarded::remote("198.51.100.7");
    std::string sender = "alice@customer.example";
    std::vector<std::string> recipients = {"bob@example.net"};
    std::string body = "Subject: test\r\n\r\nHello.\r\n";  ///< as it goes on the wire, dots already stuffed
};

/// Every reply one message got.
struct Delivery {
    Heard mail;
    std::vector<Heard> recipients;
    Heard data;
    std::optional<Heard> dot;  ///< none when DATA was not answered with 354

    /// What decided: the last reply when there was a body, else the first one that was not positive.
    [[nodiscard]] const Heard& decisive() const;
};

/// Postfix's smtp(8), as far as a proxy can tell: blocking, with a deadline on every wait.
///
/// Errors: TestFailure, for a reply that does not come, that is not a reply, or that is not the expected one.
class SmtpClient {
public:
    /// Connects and reads nothing yet.
    explicit SmtpClient(std::uint16_t port, const std::string& source = "127.0.0.1");

    /// Greeting and EHLO; returns the lines after the first, each one a capability.
    std::vector<std::string> greet(std::string_view name = "mail.customer.example");

    /// EHLO alone, for a session whose greeting has been read.
    std::vector<std::string> say_ehlo(std::string_view name = "mail.customer.example");

    /// One message, written in the segments Postfix writes: everything up to DATA in one, the body with its dot in the
    /// next. A refused message is followed by RSET, so that the session is ready for another one.
    Delivery deliver(const Message& message);

    /// Bytes as they are.
    void send(std::string_view bytes) { socket_.write(bytes); }

    [[nodiscard]] Heard read_reply();

    /// Reads one reply, which must have this code.
    Heard expect(int code);

    /// One command line (CRLF is added) and its reply.
    Heard command(std::string_view line);

    /// QUIT, its 221, and the end of the connection.
    void quit();

    /// The peer closes without another byte.
    void expect_close();

    [[nodiscard]] Socket& socket() { return socket_; }

private:
    Socket socket_;
};

}  // namespace weir::test
