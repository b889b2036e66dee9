#include "weir/policy/classifier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

namespace weir::policy {

void PrintTo(ReplyClass reply_class, std::ostream* out) {
    *out << to_string(reply_class);
}

void PrintTo(Scope scope, std::ostream* out) {
    *out << to_string(scope);
}

namespace {

using namespace std::chrono_literals;
using enum ReplyClass;

struct Case {
    const char* name;
    int code;
    std::string_view text;  ///< with its status in front, as on the wire
    ReplyClass expected;
    Scope scope;
    Stage stage = Stage::unknown;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.code << ' ' << c.text;
}

Classification classify(int code, std::string_view text, Stage stage = Stage::unknown) {
    static const Classifier classifier;
    return classifier.classify({.code = code, .enhanced_status = {}, .text = text, .stage = stage});
}

class ConfusableReplies : public testing::TestWithParam<Case> {};

TEST_P(ConfusableReplies, AreToldApart) {
    const Case& c = GetParam();
    const Classification answer = classify(c.code, c.text, c.stage);
    EXPECT_EQ(answer.reply_class, c.expected) << "decided by " << answer.decided_by;
    EXPECT_EQ(answer.scope, c.scope) << "decided by " << answer.decided_by;
}

// Provider tags as they are; sentences in words of our own.
// clang-format off
const Case confusable[] = {
    {"ExchangeOwnSubmissions", 432, "4.3.2 STOREDRV.ClientSubmit; too much from this mailbox", rate, Scope::account, Stage::data},
    {"ExchangeDeliveryToOne", 432, "4.3.2 STOREDRV.Deliver; too much for this mailbox", recipient, Scope::recipient, Stage::data},

    {"SubmissionQuota", 550, "5.2.2 Submission quota is exceeded", rate, Scope::account, Stage::data},
    {"MailboxFull", 550, "5.2.2 The mailbox is full", recipient, Scope::recipient, Stage::rcpt},
    {"OwnMailboxFull", 554, "5.2.2 mailbox full; STOREDRV.Submission", auth, Scope::account, Stage::data},

    {"StoredrvQuota", 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException", rate, Scope::account, Stage::data},
    {"StoredrvSpam", 554, "5.2.0 STOREDRV.Submission.Exception:OutboundSpamException", reputation, Scope::account, Stage::data},
    {"StoredrvSendAs", 554, "5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException", auth, Scope::sender, Stage::data},

    {"SecondLineIsALimit", 450, "mailbox unavailable\nMail send limit is exceeded", rate, Scope::account, Stage::mail},
    {"NoSecondLine", 550, "mailbox unavailable", recipient, Scope::recipient, Stage::rcpt},

    {"RelayPeak", 450, "4.2.1 Peak SMTP relay limit exceeded for the customer", rate, Scope::account, Stage::mail},
    {"ReceivingTooQuickly", 450, "4.2.1 This user is receiving mail too quickly", recipient, Scope::recipient, Stage::rcpt},

    {"TooManyLogins", 454, "4.7.0 Too many login attempts", rate, Scope::account, Stage::auth},
    {"LoginSystemIll", 454, "4.7.0 Cannot authenticate due to a temporary system problem", system, Scope::unknown, Stage::auth},
    {"SesThrottling", 454, "Throttling failure: too fast", rate, Scope::account, Stage::data},

    {"GmailUnusualRate", 421, "4.7.0 unusual rate of unsolicited mail from your IP address", rate, Scope::host, Stage::data},
    {"GmailUnusualRateFinal", 550, "5.7.28 unusual rate of unsolicited mail from your IP address", reputation, Scope::host, Stage::data},
    {"YahooComplaints", 421, "4.7.0 [TSS04] deferred for unexpected volume or user complaints", reputation, Scope::host, Stage::mail},
    {"TlsDemanded", 421, "4.7.0 TLS is required for this domain", auth, Scope::host, Stage::rcpt},
    {"GmailContent", 421, "4.7.0 suspicious due to the nature of the content or the links within", content, Scope::message, Stage::data},
    {"TemporaryProblem", 421, "4.7.0 Temporary System Problem", system, Scope::unknown, Stage::mail},
    {"ConnectionExpired", 421, "4.7.0 Connection expired, connect again", system, Scope::unknown},
    {"BadEhloName", 421, "4.7.0 Try again later, closing connection. (EHLO)", reputation, Scope::host, Stage::ehlo},

    {"MessagesPerSecond", 452, "4.4.5 Messages per second limit exceeded", rate, Scope::account, Stage::mail},
    {"NoDisk", 452, "4.4.5 Insufficient disk space", system, Scope::unknown, Stage::mail},

    {"PerSource", 421, "4.3.2 Too many connections from this source", rate, Scope::host, Stage::connect},
    {"ServerWide", 421, "4.3.2 server-wide connection limit", system, Scope::unknown, Stage::connect},
    {"ShuttingDown", 421, "4.3.2 shutting down", system, Scope::unknown, Stage::connect},
    {"Dropped", 421, "4.4.2 Connection dropped", system, Scope::unknown},

    {"CoxMessages", 550, "5.1.0 sender rejected AUP#CXMXRT", rate, Scope::host, Stage::mail},
    {"CoxConnections", 421, "too many AUP#CXCNCT", rate, Scope::host, Stage::connect},
    {"CoxListed", 550, "5.1.0 sender rejected AUP#CXBL", reputation, Scope::host, Stage::mail},
    {"CoxListedElsewhere", 550, "5.1.0 sender rejected AUP#CDRBL", reputation, Scope::host, Stage::mail},
    {"SpectrumLimit", 550, "5.1.0 sender rejected AUP#In-1310", rate, Scope::host, Stage::mail},
    {"SpectrumCustomerLimit", 550, "5.1.0 sender rejected AUP#Out-1580", rate, Scope::account, Stage::mail},
    {"SpectrumBlock", 550, "5.1.0 rejected AUP#In-1220", reputation, Scope::host, Stage::connect},

    {"OrangeConnections", 421, "Service refuse, plus tard. OFR_104", rate, Scope::host, Stage::connect},
    {"OrangeSlowDown", 421, "Service refuse, plus tard. OFR_999", rate, Scope::host, Stage::connect},
    {"OrangeBlock", 550, "Service refuse, plus tard. OFR006_103", reputation, Scope::host, Stage::connect},
    {"LaPosteBlock", 550, "5.5.0 Service refuse, plus tard. LPN007_510", reputation, Scope::host, Stage::data},
    {"LaPosteNoPtr", 421, "4.7.0 Service refuse, plus tard. LPN006_107", reputation, Scope::host, Stage::connect},
    {"LaPosteIll", 421, "4.2.1 Service refuse, plus tard. LPN007_505", system, Scope::unknown, Stage::data},

    {"GmxListed", 554, "gmx.net (mxgmx1) Nemesis ESMTP Service not available\nNo SMTP service\nIP address is block listed.", reputation, Scope::host, Stage::connect},
    {"GmxConnections", 421, "web.de (mxweb1) Nemesis ESMTP Service not available\nNo SMTP service\nToo many connections", rate, Scope::host, Stage::connect},

    {"FreeSpams", 421, "Too many spams from your IP", reputation, Scope::host, Stage::connect},
    {"FreeErrors", 421, "Too many errors from your IP", rate, Scope::host, Stage::connect},
    {"TooManyHops", 554, "5.4.6 too many hops", content, Scope::message, Stage::data},
    {"TooManyParts", 554, "too many MIME parts", content, Scope::message, Stage::data},
    {"TooManyReceived", 550, "Too many received headers", content, Scope::message, Stage::data},

    {"TooManyRecipients", 451, "4.5.3 Too many recipients: Too many recipients", rate, Scope::message, Stage::rcpt},
    {"TooManyRecipientsFromUs", 450, "4.7.1 Error: too many recipients from 192.0.2.25", rate, Scope::host, Stage::rcpt},
    {"GreylistedByRspamd", 451, "4.7.1 Try again later", recipient, Scope::recipient, Stage::data},
    {"GreylistedByStalwart", 452, "4.2.2 Greylisted, please try again", recipient, Scope::recipient, Stage::rcpt},
    {"BusyElsewhere", 451, "4.3.0 Try again later", system, Scope::unknown, Stage::data},

    {"RelayDeniedForNow", 454, "4.7.1 <a@example.com>: Relay access denied", auth, Scope::account, Stage::rcpt},
    {"PostfixWrapsALimit", 450, "4.7.1 <a@example.com>: Recipient address rejected: message quota exceeded", rate, Scope::account, Stage::rcpt},
    {"PostfixWrapsAnUnknownUser", 550, "5.1.1 <a@example.com>: Recipient address rejected: User unknown", recipient, Scope::recipient, Stage::rcpt},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(Labels, ConfusableReplies, testing::ValuesIn(confusable),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(Classifier, TakesPositiveRepliesForOkWhateverTheySay) {
    for (const int code : {220, 250, 251, 354, 334}) {
        const Classification answer = classify(code, "2.0.0 too many connections, blocked");
        EXPECT_EQ(answer.reply_class, ok) << code;
        EXPECT_EQ(answer.scope, Scope::unknown);
        EXPECT_EQ(answer.decided_by, "code");
    }
}

TEST(Classifier, TakesTextsThatNobodyKnowsForSystemWhateverTheCodeIs) {
    for (const int code : {400, 421, 450, 451, 452, 471, 500, 550, 554, 571, 591}) {
        for (const char* text : {"", "zwusgrpl krtz fnord", "4.7.1 zwusgrpl", "5.7.1 zwusgrpl", "\xff\xfe\x00\x01"}) {
            for (const Stage stage : {Stage::unknown, Stage::connect, Stage::mail, Stage::rcpt, Stage::data}) {
                const Classification answer = classify(code, text, stage);
                EXPECT_EQ(answer.reply_class, system) << code << ' ' << text;
                EXPECT_EQ(answer.scope, Scope::unknown) << code << ' ' << text;
                EXPECT_EQ(answer.decided_by, "nothing");
            }
        }
    }
}

TEST(Classifier, TakesNoReplyForALimitBecauseOfItsNumbersAlone) {
    for (int subject = 0; subject < 8; ++subject) {
        for (int detail = 0; detail < 60; ++detail) {
            if (subject == 7 && detail == 28) continue;  // Gmail's own number for its rate limit
            const std::string status = '.' + std::to_string(subject) + '.' + std::to_string(detail) + " zwusgrpl";
            EXPECT_NE(classify(421, '4' + status).reply_class, rate) << status;
            EXPECT_NE(classify(550, '5' + status).reply_class, rate) << status;
        }
    }
}

TEST(Classifier, DoesNotBelieveWhatSendersAndRecipientsAreCalled) {
    EXPECT_EQ(classify(550, "5.1.1 <too.many.connections+spam@example.com>: User unknown").reply_class, recipient);
    EXPECT_EQ(classify(550, "rate-limit@example.com: no such user").reply_class, recipient);
    EXPECT_EQ(classify(451, "zwusgrpl https://example.com/rate-limit/exceeded").reply_class, system);
}

TEST(Classifier, ReadsTheLanguagesThatRelaysSpeak) {
    EXPECT_EQ(classify(421, "Trop de connexions").reply_class, rate);
    EXPECT_EQ(classify(451, "Limite d\xc3\xa9passe: quota d'envoi atteint").reply_class, rate);
    EXPECT_EQ(classify(451, "Limite di invio superato").reply_class, rate);
    EXPECT_EQ(classify(421, "Demasiadas conexiones").reply_class, rate);
    EXPECT_EQ(classify(451, "Limite de env\xc3\xado excedido").reply_class, rate);
    EXPECT_EQ(classify(451, "Limite de env\xedo excedido").reply_class, rate) << "Latin-1";
    EXPECT_EQ(classify(550,
                       "Versandlimit \xc3\xbc"
                       "berschritten")
                  .reply_class,
              rate);
    EXPECT_EQ(classify(550, "Utente sconosciuto").reply_class, recipient);
    EXPECT_EQ(classify(552, "Buz\xc3\xb3n lleno").reply_class, recipient);
    EXPECT_EQ(classify(530, "Authentification requise").reply_class, auth);
}

TEST(Classifier, NamesTheRowThatDecided) {
    EXPECT_THAT(std::string(classify(421, "[TSS04] later").decided_by), testing::StartsWith("providers.txt:"));
    EXPECT_THAT(std::string(classify(421, "Too many connections").decided_by), testing::StartsWith("phrases.txt:"));
    EXPECT_THAT(std::string(classify(535, "zwusgrpl").decided_by), testing::StartsWith("statuses.txt:"));
}

TEST(Classifier, TellsTheDelayThatTheTextNames) {
    EXPECT_EQ(classify(421, "Too many connections, try again in 300 seconds").retry_after, 300s);
    EXPECT_EQ(classify(421, "Too many connections").retry_after, std::nullopt);
    EXPECT_EQ(classify(452, "4.4.5 Messages per second limit exceeded").retry_after, 1s);
    EXPECT_EQ(classify(250, "2.0.0 try again in 300 seconds").retry_after, std::nullopt);
}

Classifier with_rules(std::vector<ClassifyRule> rules) {
    return Classifier::create(std::move(rules)).value();
}

TEST(OperatorPatterns, GoBeforeEverythingElseInTheirOrder) {
    const Classifier classifier = with_rules({
        {.pattern = "(?i)tss04", .reply_class = system},
        {.pattern = "TSS0[0-9]", .reply_class = auth, .scope = Scope::sender},
    });
    const Classification first = classifier.classify({.code = 421, .text = "[TSS04] later", .stage = {}});
    EXPECT_EQ(first.reply_class, system);
    EXPECT_EQ(first.decided_by, "feedback.classify[0]");
    const Classification second = classifier.classify({.code = 421, .text = "[TSS05] later", .stage = {}});
    EXPECT_EQ(second.reply_class, auth);
    EXPECT_EQ(second.scope, Scope::sender);
    EXPECT_EQ(classifier.classify({.code = 421, .text = "[tss05] later", .stage = {}}).reply_class, reputation)
        << "a pattern minds case unless it says (?i)";
}

TEST(OperatorPatterns, HaveTheUsualScopeOfTheirClassUnlessTheySayOne) {
    const Classifier classifier = with_rules({{.pattern = "house rule", .reply_class = rate}});
    const Classification answer = classifier.classify({.code = 450, .text = "house rule; wait 2 minutes", .stage = {}});
    EXPECT_EQ(answer.scope, Scope::host);
    EXPECT_EQ(answer.retry_after, 2min);
}

TEST(OperatorPatterns, SeeTheTextAloneAndWithItsCodeAndStatus) {
    const Classifier classifier = with_rules({
        {.pattern = "^451 4\\.7\\.1 zwusgrpl", .reply_class = rate},
        {.pattern = "^krtz$", .reply_class = auth},
        {.pattern = "first second", .reply_class = content},
    });
    const auto class_of = [&](int code, std::string_view text) {
        return classifier.classify({.code = code, .text = text, .stage = {}}).reply_class;
    };
    EXPECT_EQ(class_of(451, "4.7.1 zwusgrpl"), rate);
    EXPECT_EQ(class_of(451, "4.7.2 zwusgrpl"), system);
    EXPECT_EQ(class_of(550, "5.0.0 krtz"), auth);
    EXPECT_EQ(class_of(550, "first\nsecond"), content) << "lines are joined by a blank";
}

TEST(OperatorPatterns, DoNotTurnAcceptedMailIntoARefusal) {
    const Classifier classifier = with_rules({{.pattern = "queued", .reply_class = rate}});
    EXPECT_EQ(classifier.classify({.code = 250, .text = "2.0.0 queued", .stage = {}}).reply_class, ok);
}

/// Short to write, long once its repetitions are written out.
std::string large_pattern() {
    std::string pattern;
    for (int i = 0; i < 50; ++i) pattern += "([a-z]{30} ){30}";
    return pattern;
}

TEST(OperatorPatterns, ThatAreWrongAreNamed) {
    EXPECT_EQ(pattern_problem("(?i)too many"), "");
    EXPECT_EQ(pattern_problem("(unclosed"), "missing ): (unclosed");
    EXPECT_THAT(pattern_problem(""), testing::HasSubstr("empty"));
    EXPECT_THAT(pattern_problem("(?=look)ahead"), testing::HasSubstr("invalid perl operator"));
    EXPECT_THAT(pattern_problem("(a)\\1"), testing::HasSubstr("invalid escape"));
    EXPECT_THAT(pattern_problem(std::string(longest_pattern + 1, 'a')), testing::HasSubstr("longer than 1000"));
    EXPECT_THAT(pattern_problem("((a{100}){100}){10}"), testing::Not(testing::IsEmpty()));
    EXPECT_THAT(pattern_problem(large_pattern()), testing::HasSubstr("too large"));
    EXPECT_EQ(Classifier::create({{.pattern = "(unclosed"}}).error(), core::Errc::bad_syntax);
    EXPECT_EQ(Classifier::create({{.pattern = large_pattern()}}).error(), core::Errc::out_of_range);
    EXPECT_EQ(Classifier::create(std::vector<ClassifyRule>(max_classify_rules + 1, {.pattern = "a"})).error(),
              core::Errc::out_of_range);
    EXPECT_EQ(classify_problem(std::vector<ClassifyRule>(max_classify_rules, {.pattern = "a"})), "");
}

TEST(OperatorPatterns, ThatAreLargeTogetherAreRefusedAndNotLoaded) {
    std::vector<ClassifyRule> rules;
    for (int i = 0; i < 1000; ++i) rules.push_back({.pattern = "x" + std::to_string(i) + "([a-z]{30} ){20}y"});
    EXPECT_THAT(pattern_problem(rules.front().pattern), testing::IsEmpty());
    EXPECT_THAT(classify_problem(rules), testing::HasSubstr("do not fit"));
}

// What would keep a backtracking matcher busy until the end of days. ctest's timeout is the judge.
TEST(HostilePatterns, TakeNoLongerThanTheTextIsLong) {
    const Classifier classifier = with_rules({
        {.pattern = "(a+)+$", .reply_class = rate},
        {.pattern = "(a|aa)+b", .reply_class = rate},
        {.pattern = "(x+x+)+y", .reply_class = auth},
        {.pattern = "(.*)(.*)(.*)(.*)(.*)[^ab]c", .reply_class = auth},
    });
    const std::string text = std::string(10'000, 'a') + '!';
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(classifier.classify({.code = 450, .text = std::string(10'000, 'a'), .stage = {}}).reply_class, rate);
        EXPECT_EQ(classifier.classify({.code = 450, .text = std::string(10'000, 'x'), .stage = {}}).reply_class,
                  system);
    }
    EXPECT_EQ(classifier.classify({.code = 450, .text = text, .stage = {}}).reply_class, rate)
        << "what is beyond 4 KiB is not looked at";
}

TEST(HostilePatterns, AThousandOfThemStillClassify) {
    std::vector<ClassifyRule> rules;
    for (int i = 0; i < 1000; ++i) {
        rules.push_back({.pattern = "(?i)(tag" + std::to_string(i) + "|[a-z]+x" + std::to_string(i) + ")$",
                         .reply_class = content});
    }
    const Classifier classifier = with_rules(rules);
    for (int i = 0; i < 1000; ++i) {
        const std::string text = "some words and TAG" + std::to_string(i);
        EXPECT_EQ(classifier.classify({.code = 550, .text = text, .stage = {}}).decided_by,
                  "feedback.classify[" + std::to_string(i) + ']');
    }
}

TEST(HostileTexts, OfAnyBytesAreClassified) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) text += static_cast<char>(i * 7919 >> 3);
    EXPECT_NO_THROW(static_cast<void>(classify(550, text)));
    EXPECT_NO_THROW(static_cast<void>(classify(550, std::string(20'000, '@'))));
    EXPECT_NO_THROW(static_cast<void>(classify(550, std::string(20'000, '\xc3'))));
    std::string words;
    for (int i = 0; i < 500; ++i) words += "too many mailbox domain account limit ";
    EXPECT_NO_THROW(static_cast<void>(classify(550, words)));
}

TEST(Classifier, IsSharedBetweenThreads) {
    const Classifier classifier = with_rules({{.pattern = "house rule", .reply_class = rate}});
    std::vector<std::thread> threads;
    std::atomic<int> wrong = 0;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&classifier, &wrong, t] {
            for (int i = 0; i < 200; ++i) {
                const std::string text = "user" + std::to_string(t * 1000 + i) + " unknown";
                if (classifier.classify({.code = 550, .text = text, .stage = Stage::rcpt}).reply_class == rate) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(ReplyClassNames, ReadBackAsTheyAreWritten) {
    for (const ReplyClass reply_class : {ok, rate, reputation, auth, recipient, content, system}) {
        EXPECT_EQ(parse_reply_class(to_string(reply_class)), reply_class);
    }
    for (const Scope scope :
         {Scope::unknown, Scope::host, Scope::account, Scope::sender, Scope::recipient, Scope::message}) {
        EXPECT_EQ(parse_scope(to_string(scope)), scope);
    }
    EXPECT_EQ(parse_reply_class("Rate"), std::nullopt);
    EXPECT_EQ(parse_scope(""), std::nullopt);
}

}  // namespace
}  // namespace weir::policy
