#include "weir/smtp/sasl.hpp"

#include <gsasl.h>
#include <gtest/gtest.h>

namespace weir::smtp {
namespace {

using core::Errc;

std::string base64(const std::string& text) {
    char* out = nullptr;
    std::size_t size = 0;
    EXPECT_EQ(gsasl_base64_to(text.data(), text.size(), &out, &size), GSASL_OK);
    std::string result(out, size);
    gsasl_free(out);
    return result;
}

std::string decoded(const std::string& text) {
    char* out = nullptr;
    std::size_t size = 0;
    EXPECT_EQ(gsasl_base64_from(text.data(), text.size(), &out, &size), GSASL_OK);
    std::string result(out, size);
    gsasl_free(out);
    return result;
}

const std::vector<std::string> everything{"GSSAPI",      "CRAM-MD5",      "LOGIN",  "plain",
                                          "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2"};

Credentials only(const std::string& mechanism) {
    return {.username = "tim", .secret = "tanstaaftanstaaf", .mechanisms = {mechanism}};
}

TEST(Sasl, PrefersWhatShowsLeast) {
    EXPECT_EQ(SaslClient::choose(everything, {.username = "me", .secret = "pw"})->mechanism(), "SCRAM-SHA-256");
    EXPECT_EQ(SaslClient::choose({"LOGIN", "PLAIN"}, {.username = "me", .secret = "pw"})->mechanism(), "PLAIN");
}

TEST(Sasl, KeepsToWhatTheOperatorListed) {
    EXPECT_EQ(SaslClient::choose(everything, only("LOGIN"))->mechanism(), "LOGIN");
    EXPECT_EQ(SaslClient::choose({"PLAIN"}, only("LOGIN")), nullptr);
    EXPECT_EQ(SaslClient::choose({}, only("PLAIN")), nullptr);
}

TEST(Sasl, UsesATokenForNothingElse) {
    const Credentials token{.username = "me@a.test", .secret = "t0k3n", .is_token = true};
    EXPECT_EQ(SaslClient::choose({"PLAIN", "LOGIN"}, token), nullptr);
    const auto client = SaslClient::choose(everything, token);
    ASSERT_NE(client, nullptr);
    EXPECT_TRUE(client->speaks_first());
    EXPECT_EQ(decoded(client->step("").value()), "user=me@a.test\1auth=Bearer t0k3n\1\1");
    EXPECT_EQ(client->step("eyJzdGF0dXMiOiI0MDEifQ==").value(), "") << "an empty response asks for the refusal";
}

// RFC 4616, section 4, in base64.
TEST(Sasl, SpeaksPlain) {
    const auto client = SaslClient::choose({"PLAIN"}, only("PLAIN"));
    EXPECT_TRUE(client->speaks_first());
    EXPECT_EQ(decoded(client->step("").value()), std::string("\0tim\0tanstaaftanstaaf", 21));
    EXPECT_TRUE(client->is_satisfied());
}

TEST(Sasl, SpeaksLogin) {
    const auto client = SaslClient::choose({"LOGIN"}, only("LOGIN"));
    EXPECT_FALSE(client->speaks_first());
    EXPECT_EQ(client->step(base64("Username:")).value(), base64("tim"));
    EXPECT_EQ(client->step(base64("Password:")).value(), base64("tanstaaftanstaaf"));
    EXPECT_EQ(client->step(base64("More:")).error(), Errc::auth_failed);
}

// The example of RFC 2195, section 2.
TEST(Sasl, SpeaksCramMd5) {
    const auto client = SaslClient::choose({"CRAM-MD5"}, only("CRAM-MD5"));
    EXPECT_FALSE(client->speaks_first());
    EXPECT_EQ(client->step("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+").value(),
              "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
}

/// The first challenge of RFC 5802, section 5, with the nonce that the client has chosen.
std::string scram_challenge(const std::string& client_first, const std::string& iterations) {
    const std::string bare = decoded(client_first);
    const std::string nonce = bare.substr(bare.find("r=") + 2);
    return base64("r=" + nonce + "3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=" + iterations);
}

TEST(Sasl, SpeaksScramAndWaitsForTheRelaysProof) {
    const auto client = SaslClient::choose({"SCRAM-SHA-256"}, only("SCRAM-SHA-256"));
    const std::string first = client->step("").value();
    const auto proof = client->step(scram_challenge(first, "4096"));
    ASSERT_TRUE(proof) << proof.error().message();
    EXPECT_TRUE(decoded(*proof).starts_with("c=biws,r="));
    EXPECT_FALSE(client->is_satisfied());
    EXPECT_EQ(client->step(base64("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")).error(), Errc::auth_failed);
    EXPECT_FALSE(client->is_satisfied());
}

TEST(Sasl, DoesNotWorkForHoursBecauseARelayAsksItTo) {
    for (const char* iterations : {"200001", "4294967295", "99999999999999999999999", "x"}) {
        const auto client = SaslClient::choose({"SCRAM-SHA-1"}, only("SCRAM-SHA-1"));
        const std::string first = client->step("").value();
        EXPECT_EQ(client->step(scram_challenge(first, iterations)).error(), Errc::auth_failed) << iterations;
    }
}

TEST(Sasl, RefusesChallengesThatAreNone) {
    for (const char* challenge : {"", "!", "====", "cj0="}) {
        const auto client = SaslClient::choose({"SCRAM-SHA-256"}, only("SCRAM-SHA-256"));
        (void)client->step("");
        EXPECT_EQ(client->step(challenge).error(), Errc::auth_failed) << challenge;
    }
}

}  // namespace
}  // namespace weir::smtp
