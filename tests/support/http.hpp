#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::test {

struct HttpResponse {
    int status = 0;
    std::string headers;  ///< as they came, without the status line
    std::string body;
};

struct HttpRequest {
    std::string_view method = "GET";
    std::string_view target = "/";
    std::string_view body = {};
    std::string_view token = {};  ///< sent as bearer token when not empty
};

/// One request on a connection of its own, to 127.0.0.1:`port`. Throws TestFailure when no answer comes.
[[nodiscard]] HttpResponse http(std::uint16_t port, const HttpRequest& request);

}  // namespace weir::test
