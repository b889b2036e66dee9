#include "routes.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "test_sources.hpp"

namespace weir::admin {
namespace {

Request request(http::verb method, const std::string& target) {
    Request made(method, target, 11);
    made.set(http::field::host, "127.0.0.1");
    return made;
}

Response get(const std::string& target, const Sources& sources = test_sources()) {
    return respond(request(http::verb::get, target), sources);
}

std::string header(const Response& response, http::field field) {
    const auto value = response[field];
    return {value.data(), value.size()};
}

TEST(Routes, ServeMetricsInPrometheusFormat) {
    const auto response = get("/metrics");
    EXPECT_EQ(response.result(), http::status::ok);
    EXPECT_EQ(header(response, http::field::content_type), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_EQ(response.body(), "weir_build_info{version=\"0.1.0\"} 1\n");
}

TEST(Routes, AreAliveEvenWhenNotReady) {
    Sources sources = test_sources();
    sources.readiness = [] { return Readiness{.reason = "no relay has answered yet"}; };
    EXPECT_EQ(get("/healthz", sources).result(), http::status::ok);
    EXPECT_EQ(get("/healthz", sources).body(), "ok\n");
    EXPECT_EQ(get("/readyz", sources).result(), http::status::service_unavailable);
    EXPECT_EQ(get("/readyz", sources).body(), "not ready: no relay has answered yet\n");
}

TEST(Routes, AreReadyWhenTheDaemonIs) {
    EXPECT_EQ(get("/readyz").result(), http::status::ok);
}

TEST(Routes, TellTheStatusInJson) {
    const auto response = get("/api/v1/status");
    EXPECT_EQ(header(response, http::field::content_type), "application/json");
    const auto status = boost::json::parse(response.body());
    EXPECT_EQ(status.at("version"), "0.1.0");
    EXPECT_GT(status.at("pid").as_int64(), 0);
    EXPECT_DOUBLE_EQ(status.at("uptime_seconds").as_double(), 1.5);
    EXPECT_EQ(status.at("listeners").at(0).at("lane"), "default");
    EXPECT_EQ(status.at("relays").at(0).at("connections").at("idle"), 3);
    EXPECT_EQ(status.at("limits").at(0).at("held"), 7);
    EXPECT_TRUE(status.at("limits").at(0).at("remaining").is_null());
    EXPECT_EQ(status.at("limits").at(1).at("remaining"), 42);
    EXPECT_EQ(status.at("totals").at("relayed"), 100);
    EXPECT_EQ(status.at("config").at("last_reload"), "2026-11-24T04:00:00Z");
    EXPECT_TRUE(status.at("config").at("error").is_null());
}

TEST(Routes, KeepTheStatusValidWhateverTheRelaySaid) {
    const auto status = boost::json::parse(get("/api/v1/status").body());
    EXPECT_EQ(status.at("relays").at(0).at("last_error"), R"(421 4.7.0 trop de connexions \xe0 la fois\r\n)");
}

TEST(Routes, HaveEmptyListsRatherThanNone) {
    Sources sources = test_sources();
    sources.status = [] { return Status{}; };
    const auto status = boost::json::parse(get("/api/v1/status", sources).body());
    EXPECT_TRUE(status.at("listeners").as_array().empty());
    EXPECT_TRUE(status.at("config").at("last_reload").is_null());
}

TEST(Routes, IgnoreAQuery) {
    EXPECT_EQ(get("/healthz?verbose=1").result(), http::status::ok);
}

TEST(Routes, KnowNothingElse) {
    for (const auto* target : {"/", "/metrics/", "/metricsx", "/api/v1", "//metrics", "/../metrics", "*", "?"}) {
        EXPECT_EQ(get(target).result(), http::status::not_found) << target;
    }
}

TEST(Routes, SayWhichMethodsAreAllowed) {
    for (const auto method : {http::verb::post, http::verb::put, http::verb::delete_, http::verb::options}) {
        const auto response = respond(request(method, "/metrics"), test_sources());
        EXPECT_EQ(response.result(), http::status::method_not_allowed);
        EXPECT_EQ(header(response, http::field::allow), "GET, HEAD");
    }
    EXPECT_EQ(respond(request(http::verb::post, "/nowhere"), test_sources()).result(), http::status::not_found);
}

TEST(Routes, AnswerHeadAsGetWithoutABody) {
    const auto head = respond(request(http::verb::head, "/metrics"), test_sources());
    EXPECT_EQ(head.result(), http::status::ok);
    EXPECT_EQ(head.body(), "");
    EXPECT_EQ(header(head, http::field::content_length), header(get("/metrics"), http::field::content_length));
}

TEST(Routes, InsistOnOneHost) {
    Request without(http::verb::get, "/healthz", 11);
    EXPECT_EQ(respond(without, test_sources()).result(), http::status::bad_request);
    Request twice = request(http::verb::get, "/healthz");
    twice.insert(http::field::host, "other");
    EXPECT_EQ(respond(twice, test_sources()).result(), http::status::bad_request);
    const Request old(http::verb::get, "/healthz", 10);
    EXPECT_EQ(respond(old, test_sources()).result(), http::status::ok);
}

}  // namespace
}  // namespace weir::admin
