#include "support/http.hpp"

#include "support/socket.hpp"

namespace weir::test {

HttpResponse http(std::uint16_t port, const HttpRequest& request) {
    Socket socket = Socket::connect(port);
    // HTTP/1.0: the answer is neither chunked nor followed by another one, it ends with the connection.
    std::string head = std::string(request.method) + ' ' + std::string(request.target) + " HTTP/1.0\r\n";
    head += "Host: 127.0.0.1\r\n";
    if (!request.token.empty()) head += "Authorization: Bearer " + std::string(request.token) + "\r\n";
    if (!request.body.empty()) head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    socket.write(head + "\r\n" + std::string(request.body));

    std::string answer;
    for (std::string bytes = socket.read_some(); !bytes.empty(); bytes = socket.read_some()) answer += bytes;

    const auto status_end = answer.find("\r\n");
    const auto head_end = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.") || head_end == std::string::npos) throw TestFailure("not HTTP: " + answer);
    return {.status = std::stoi(answer.substr(answer.find(' ') + 1, 3)),
            .headers = answer.substr(status_end + 2, head_end - status_end),
            .body = answer.substr(head_end + 4)};
}

}  // namespace weir::test
