#include "routes.hpp"

#include <algorithm>
#include <array>

#include "endpoints.hpp"

namespace weir::admin {
namespace {

struct Endpoint {
    http::verb method;
    std::string_view path;
    Response (*answer)(const Request&, const Sources&);
};

constexpr std::array endpoints{
    Endpoint{http::verb::get, "/metrics", answer_metrics},
    Endpoint{http::verb::get, "/healthz", answer_healthz},
    Endpoint{http::verb::get, "/readyz", answer_readyz},
    Endpoint{http::verb::get, "/api/v1/status", answer_status},
};

std::string_view path_of(const Request& request) {
    const std::string_view target(request.target().data(), request.target().size());
    return target.substr(0, target.find('?'));
}

std::string allowed_methods(std::string_view path) {
    std::string methods;
    for (const Endpoint& endpoint : endpoints) {
        if (endpoint.path != path) continue;
        if (!methods.empty()) methods += ", ";
        methods += http::to_string(endpoint.method);
        if (endpoint.method == http::verb::get) methods += ", HEAD";
    }
    return methods;
}

Response not_an_endpoint(std::string_view path) {
    const std::string allowed = allowed_methods(path);
    if (allowed.empty()) return reply(http::status::not_found, plain_text, "not found\n");
    Response response = reply(http::status::method_not_allowed, plain_text, "allowed: " + allowed + '\n');
    response.set(http::field::allow, allowed);
    return response;
}

Response route(const Request& request, const Sources& sources) {
    // RFC 9112 3.2: a server must answer 400 when it is missing.
    if (request.version() >= 11 && request.count(http::field::host) != 1) {
        return reply(http::status::bad_request, plain_text, "exactly one Host is required\n");
    }
    const http::verb method = request.method() == http::verb::head ? http::verb::get : request.method();
    const std::string_view path = path_of(request);
    const auto* const found = std::find_if(endpoints.begin(), endpoints.end(), [&](const Endpoint& endpoint) {
        return endpoint.method == method && endpoint.path == path;
    });
    return found != endpoints.end() ? found->answer(request, sources) : not_an_endpoint(path);
}

}  // namespace

Response respond(const Request& request, const Sources& sources) {
    Response response = route(request, sources);
    response.version(request.version());
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    // RFC 9110 9.3.2: the header a GET would have had, its length included.
    if (request.method() == http::verb::head) response.body().clear();
    return response;
}

Response refuse(http::status status, std::string_view reason) {
    Response response = reply(status, plain_text, std::string(reason) + '\n');
    response.keep_alive(false);
    response.prepare_payload();
    return response;
}

}  // namespace weir::admin
