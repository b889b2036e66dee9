#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace weir::admin {

namespace http = boost::beast::http;

using Request = http::request<http::string_body>;
using Response = http::response<http::string_body>;

inline constexpr std::string_view plain_text = "text/plain; charset=utf-8";

/// Version, length and keep-alive are filled in on the way out.
[[nodiscard]] inline Response reply(http::status status, std::string_view content_type, std::string body) {
    Response response(status, 11);
    response.set(http::field::content_type, {content_type.data(), content_type.size()});
    response.set(http::field::cache_control, "no-store");
    response.body() = std::move(body);
    return response;
}

}  // namespace weir::admin
