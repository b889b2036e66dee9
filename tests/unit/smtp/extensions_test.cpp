#include "weir/smtp/extensions.hpp"

#include <gtest/gtest.h>

namespace weir::smtp {
namespace {

Reply ehlo(std::vector<std::string> keywords) {
    Reply reply(250, "relay.example");
    for (std::string& keyword : keywords) reply.lines.push_back(std::move(keyword));
    return reply;
}

constexpr Extensions everything{
    .pipelining = true, .eight_bit_mime = true, .smtputf8 = true, .dsn = true, .size = true, .max_size = 1000};

MailRequest full_mail() {
    return {.path = "a@x",
            .size = 315,
            .body = MailRequest::Body::eight_bit_mime,
            .smtputf8 = true,
            .ret = "HDRS",
            .envid = "e+2B"};
}

TEST(Extensions, AreReadFromTheKeywordsInAnyCase) {
    EXPECT_EQ(parse_extensions(ehlo({"PIPELINING", "8bitmime", "SmtpUtf8", "DSN", "SIZE 1000", "AUTH LOGIN", "X"})),
              everything);
    EXPECT_EQ(parse_extensions(ehlo({})), Extensions());
    EXPECT_EQ(parse_extensions(ehlo({"PIPELININGX", "8BITMIM", "XSIZE 1"})), Extensions());
    EXPECT_EQ(parse_extensions(Reply(250, "PIPELINING")), Extensions()) << "the first line is the relay's name";
}

TEST(Extensions, KnowSizeWithAndWithoutANumber) {
    EXPECT_EQ(parse_extensions(ehlo({"SIZE"})), (Extensions{.size = true, .max_size = 0}));
    EXPECT_EQ(parse_extensions(ehlo({"SIZE 0"})), (Extensions{.size = true, .max_size = 0}));
    EXPECT_EQ(parse_extensions(ehlo({"SIZE 99999999999999999999"})), (Extensions{.size = true, .max_size = 0}));
    EXPECT_EQ(parse_extensions(ehlo({"SIZE lots"})), (Extensions{.size = true, .max_size = 0}));
}

TEST(Extensions, IntersectToWhatBothOfferAndTheSmallerSize) {
    Extensions other = everything;
    other.max_size = 500;
    other.dsn = false;
    EXPECT_EQ(intersection(everything, other), other);
    EXPECT_EQ(intersection(other, everything), other);
    EXPECT_EQ(intersection(everything, Extensions()), Extensions());
    other.max_size = 0;
    EXPECT_EQ(intersection(everything, other).max_size, 1000U) << "no limit is no smaller limit";
    EXPECT_EQ(intersection(other, everything).max_size, 1000U);
}

TEST(Extensions, OfUnknownRelaysLetPostfixConvertAndBounceNothing) {
    const Extensions offer = unknown_relay_extensions();
    EXPECT_TRUE(offer.eight_bit_mime && offer.smtputf8 && offer.dsn && offer.size);
    EXPECT_EQ(offer.max_size, 0U);
    EXPECT_TRUE(missing_extension(full_mail(), offer).empty());
}

TEST(MailCommand, SaysAllThatTheRelayKnows) {
    EXPECT_EQ(mail_command(full_mail(), everything),
              "MAIL FROM:<a@x> SIZE=315 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=e+2B\r\n");
    EXPECT_EQ(mail_command({}, everything), "MAIL FROM:<>\r\n");
    MailRequest seven;
    seven.body = MailRequest::Body::seven_bit;
    EXPECT_EQ(mail_command(seven, everything), "MAIL FROM:<> BODY=7BIT\r\n");
}

TEST(MailCommand, LeavesOutWhatTheRelayDoesNotKnow) {
    EXPECT_EQ(mail_command(full_mail(), Extensions()), "MAIL FROM:<a@x>\r\n");
    Extensions only_dsn;
    only_dsn.dsn = true;
    EXPECT_EQ(mail_command(full_mail(), only_dsn), "MAIL FROM:<a@x> RET=HDRS ENVID=e+2B\r\n");
}

TEST(RcptCommand, SaysDsnOnlyToARelayThatKnowsIt) {
    const RcptRequest request{.path = "b@y", .notify = "SUCCESS,DELAY", .orcpt = "rfc822;b@y"};
    EXPECT_EQ(rcpt_command(request, everything), "RCPT TO:<b@y> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b@y\r\n");
    EXPECT_EQ(rcpt_command(request, Extensions()), "RCPT TO:<b@y>\r\n");
    EXPECT_EQ(rcpt_command({.path = "b@y", .notify = {}, .orcpt = {}}, everything), "RCPT TO:<b@y>\r\n");
}

TEST(MissingExtension, IsNamedWhenTheMessageWouldHaveToChange) {
    MailRequest request;
    EXPECT_EQ(missing_extension(request, Extensions()), "");
    request.body = MailRequest::Body::seven_bit;
    EXPECT_EQ(missing_extension(request, Extensions()), "");
    request.body = MailRequest::Body::eight_bit_mime;
    EXPECT_EQ(missing_extension(request, Extensions()), "8BITMIME");
    request.smtputf8 = true;
    EXPECT_EQ(missing_extension(request, Extensions()), "SMTPUTF8");
    EXPECT_EQ(missing_extension(request, everything), "");
}

TEST(LoginOffer, IsReadFromTheSameReply) {
    Reply ehlo(250, "relay.example");
    for (const char* line : {"SIZE 1000", "starttls", "AUTH PLAIN  LOGIN", "AUTH=CRAM-MD5", "AUTHENTIC X"}) {
        ehlo.lines.emplace_back(line);
    }
    const LoginOffer offer = parse_login_offer(ehlo);
    EXPECT_TRUE(offer.starttls);
    EXPECT_EQ(offer.mechanisms, (std::vector<std::string>{"PLAIN", "LOGIN", "CRAM-MD5"}));
    EXPECT_FALSE(parse_login_offer(Reply(250, "STARTTLS")).starttls) << "the first line is a name";
}

}  // namespace
}  // namespace weir::smtp
