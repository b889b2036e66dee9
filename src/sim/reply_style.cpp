#include "weir/sim/reply_style.hpp"

#include <array>
#include <charconv>
#include <span>

namespace weir::sim {
namespace {

struct Phrase {
    Occasion occasion;
    Stage stage;
    std::string_view text;
};

// How sure each text is: (v) seen in a log or a server's source, (d) in the provider's or a library's documentation,
// (c) composed here from a documented phrase. Addresses became placeholders.

constexpr std::array generic{
    Phrase{Occasion::rate, Stage::mail, "451 4.7.1 Rate limited, try again later"},                             // v
    Phrase{Occasion::recipient_rate, Stage::rcpt, "451 4.7.1 Rate limited, too many recipients"},               // c
    Phrase{Occasion::daily_quota, Stage::mail, "452 4.7.1 you have sent over the allowed number of messages"},  // v
    Phrase{Occasion::connections, Stage::greeting, "421 4.7.0 {hostname} Too many connections from {client}"},  // c
    Phrase{Occasion::messages_per_connection, Stage::mail, "421 4.7.0 {hostname} Too many messages in this connection"},
    Phrase{Occasion::recipients_per_message, Stage::rcpt, "452 4.5.3 Too many recipients"},  // v
    Phrase{Occasion::blocked_greeting, Stage::greeting,
           "421 4.7.0 {hostname} Unusual amount of mail from {client}, temporarily blocked"},  // c
    Phrase{Occasion::blocked_mail, Stage::mail,
           "451 4.7.1 Unusual amount of mail from {client}, temporarily blocked"},                         // c
    Phrase{Occasion::greylisted, Stage::rcpt, "451 4.7.1 Greylisting in action, please come back later"},  // v
    Phrase{Occasion::unknown_user, Stage::rcpt, "550 5.1.1 <{recipient}>: User unknown"},                  // c
};

constexpr std::array comcast{
    Phrase{Occasion::rate, Stage::greeting,
           "421 4.1.0 {client} Throttled - try again later. "
           "Please see https://postmaster.comcast.net/smtp-error-codes.php#RL000003"},  // v
    Phrase{Occasion::recipient_rate, Stage::rcpt,
           "451 4.2.0 Throttled - try again later. "
           "Please see https://postmaster.comcast.net/smtp-error-codes.php#RL000010"},  // c
    Phrase{Occasion::blocked_greeting, Stage::greeting,
           "554 {hostname} comcast {client} Comcast block for spam.  "
           "Please see http://postmaster.comcast.net/smtp-error-codes.php#BL000000"},                      // v
    Phrase{Occasion::greylisted, Stage::rcpt, "421 4.2.0 Greylisted, please try again later"},             // v
    Phrase{Occasion::unknown_user, Stage::rcpt, "550 5.1.1 <{recipient}> recipient mailbox unallocated"},  // v
};

constexpr std::array free_fr{
    Phrase{Occasion::blocked_greeting, Stage::greeting,
           "421 Too many spams from your IP ({client}), please visit http://postmaster.free.fr/"},  // v
};

constexpr std::array gmail{
    Phrase{Occasion::rate, Stage::mail, "450 4.2.1 Peak SMTP relay limit exceeded for customer."},  // d
    Phrase{Occasion::daily_quota, Stage::mail,
           "550 5.4.5 Daily SMTP relay limit exceeded for user. For more information on SMTP relay sending limits "
           "please contact your administrator or visit https://support.google.com/a/answer/166852"},  // d
    Phrase{Occasion::recipients_per_message, Stage::rcpt,
           "452 4.5.3 Your message has too many recipients. For more information regarding Google's sending limits, "
           "review this article."},  // d
    Phrase{Occasion::blocked_mail, Stage::mail,
           "421-4.7.0 [{client}] Our system has detected an unusual amount of\n"
           "421-4.7.0 unsolicited mail originating from your IP address. To protect our\n"
           "421-4.7.0 users from spam, mail sent from your IP address has been temporarily\n"
           "421-4.7.0 blocked. Please visit http://www.google.com/mail/help/bulk_mail.html\n"
           "421 4.7.0 to review our Bulk Email Senders Guidelines."},  // v
    Phrase{
        Occasion::unknown_user, Stage::rcpt,
        "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the "
        "recipient's email address for typos or unnecessary spaces. For more information, review this article."},  // d
};

constexpr std::array ionos{
    Phrase{Occasion::rate, Stage::rcpt,
           "450-Requested mail action not taken: mailbox unavailable\n450 Mail send limit exceeded."},  // d
    Phrase{Occasion::recipient_rate, Stage::rcpt,
           "450-Requested mail action not taken: mailbox unavailable\n450 Mail send limit exceeded."},  // d
    Phrase{Occasion::daily_quota, Stage::rcpt,
           "450-Requested mail action not taken: mailbox unavailable\n450 Mail send limit exceeded."},  // d
};

constexpr std::array m365{
    Phrase{Occasion::rate, Stage::mail,
           "432 4.3.2 STOREDRV.ClientSubmit; exceeded the message limit per account"},  // v
    Phrase{Occasion::daily_quota, Stage::dot,
           "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; Failed to process message due to "
           "a permanent exception with message The message can't be submitted because the sender's submission quota "
           "was exceeded."},  // d
    Phrase{Occasion::connections, Stage::greeting,
           "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded"},                        // d
    Phrase{Occasion::blocked_mail, Stage::mail, "550 5.7.501 Access denied, spam abuse detected"},  // d
    Phrase{Occasion::unknown_user, Stage::rcpt,
           "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"},  // v
};

constexpr std::array orange{
    Phrase{Occasion::connections, Stage::greeting,
           "421 {hostname} ME Trop de connexions, veuillez verifier votre configuration. "
           "Too many connections, slow down. OFR005_104 [104]"},  // d
    Phrase{Occasion::rate, Stage::greeting,
           "421 {hostname} ME Trop de connexions, veuillez verifier votre configuration. "
           "Too many connections, slow down. OFR005_104 [104]"},  // d
    Phrase{Occasion::blocked_greeting, Stage::greeting,
           "550 {hostname} smtp.orange.fr Service refuse. Service refused. OFR006_103 - please visit: "
           "https://postmaster.orange.fr/ [103]"},  // v
    Phrase{Occasion::unknown_user, Stage::rcpt,
           "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]"},  // v
};

constexpr std::array postfix{
    Phrase{Occasion::rate, Stage::mail, "450 4.7.1 Error: too much mail from {client}"},                  // v
    Phrase{Occasion::recipient_rate, Stage::rcpt, "450 4.7.1 Error: too many recipients from {client}"},  // v
    Phrase{Occasion::daily_quota, Stage::mail, "450 4.7.1 Error: too much mail from {client}"},           // v
    Phrase{Occasion::connections, Stage::greeting,
           "421 4.7.0 {hostname} Error: too many connections from unknown[{client}]"},              // v
    Phrase{Occasion::recipients_per_message, Stage::rcpt, "452 4.5.3 Error: too many recipients"},  // v
    Phrase{Occasion::blocked_greeting, Stage::greeting,
           "421 4.7.1 Service unavailable; client host [{client}] blocked using zen.spamhaus.org"},  // v
    Phrase{Occasion::blocked_mail, Stage::mail,
           "454 4.7.1 Service unavailable; Client host [{client}] blocked using dnsbl.sorbs.net"},                 // v
    Phrase{Occasion::greylisted, Stage::rcpt, "450 4.2.0 <{recipient}>: Recipient address rejected: Greylisted"},  // v
    Phrase{Occasion::unknown_user, Stage::rcpt,
           "550 5.1.1 <{recipient}>: Recipient address rejected: User unknown in local recipient table"},  // v
};

constexpr std::array ses{
    Phrase{Occasion::rate, Stage::dot, "454 Throttling failure: Maximum sending rate exceeded."},             // d
    Phrase{Occasion::recipient_rate, Stage::dot, "454 Throttling failure: Maximum sending rate exceeded."},   // d
    Phrase{Occasion::daily_quota, Stage::dot, "454 Throttling failure: Daily message quota exceeded."},       // d
    Phrase{Occasion::messages_per_connection, Stage::mail, "421 Maximum message count per session reached"},  // c
};

constexpr std::array yahoo{
    Phrase{Occasion::rate, Stage::mail, "421 Message from ({client}) temporarily deferred"},  // d
    Phrase{Occasion::blocked_greeting, Stage::greeting,
           "421 [IPTS04] Messages from ({client}) temporarily deferred due to unexpected volume or user complaints - "
           "{client}; see https://postmaster.yahooinc.com/error-codes"},  // v
    Phrase{Occasion::blocked_mail, Stage::mail,
           "421 4.7.0 [TSS05] Messages from {client} temporarily deferred due to user complaints"},  // d
};

struct Named {
    std::string_view name;
    std::span<const Phrase> phrases;
};

// In the order of Style.
constexpr std::array<Named, 10> styles{{{"generic", generic},
                                        {"comcast", comcast},
                                        {"free", free_fr},
                                        {"gmail", gmail},
                                        {"ionos", ionos},
                                        {"m365", m365},
                                        {"orange", orange},
                                        {"postfix", postfix},
                                        {"ses", ses},
                                        {"yahoo", yahoo}}};

const Phrase* find_phrase(std::span<const Phrase> phrases, Occasion occasion) {
    for (const Phrase& phrase : phrases) {
        if (phrase.occasion == occasion) return &phrase;
    }
    return nullptr;
}

core::Result<int> parse_code(std::string_view line) {
    int code = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + std::min<std::size_t>(line.size(), 3), code);
    if (error != std::errc{} || end != line.data() + 3) return core::Errc::bad_syntax;
    if (code < 200 || code > 599) return core::Errc::out_of_range;
    return code;
}

}  // namespace

StyledReply styled_reply(Style style, Occasion occasion) {
    const Phrase* phrase = find_phrase(styles[static_cast<std::size_t>(style)].phrases, occasion);
    if (phrase == nullptr) phrase = find_phrase(generic, occasion);
    return {.reply = parse_reply(phrase->text).value(), .stage = phrase->stage};
}

core::Result<smtp::Reply> parse_reply(std::string_view text) {
    smtp::Reply reply;
    while (true) {
        const auto end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        const auto code = parse_code(line);
        if (!code) return code.error();
        const bool is_last = end == std::string_view::npos;
        if (line.size() > 3 && line[3] != (is_last ? ' ' : '-')) return core::Errc::bad_syntax;
        if (!reply.lines.empty() && *code != reply.code) return core::Errc::bad_syntax;
        reply.code = *code;
        reply.lines.emplace_back(line.size() > 4 ? line.substr(4) : "");
        if (is_last) return reply;
        text.remove_prefix(end + 1);
    }
}

smtp::Reply filled(const smtp::Reply& pattern, const Placeholders& values) {
    const auto seconds = std::to_string(std::chrono::ceil<std::chrono::seconds>(values.wait).count());
    const std::array<std::pair<std::string_view, std::string_view>, 5> names{{{"{client}", values.client},
                                                                              {"{hostname}", values.hostname},
                                                                              {"{sender}", values.sender},
                                                                              {"{recipient}", values.recipient},
                                                                              {"{wait}", seconds}}};
    smtp::Reply reply = pattern;
    for (std::string& line : reply.lines) {
        // Left to right and never over what was filled in: an address may look like a placeholder.
        for (auto at = line.find('{'); at != std::string::npos; at = line.find('{', at)) {
            std::size_t skip = 1;
            for (const auto& [name, value] : names) {
                if (line.compare(at, name.size(), name) != 0) continue;
                line.replace(at, name.size(), value);
                skip = value.size();
                break;
            }
            at += skip;
        }
    }
    return reply;
}

std::optional<Style> parse_style(std::string_view name) {
    for (std::size_t i = 0; i < styles.size(); ++i) {
        if (styles[i].name == name) return static_cast<Style>(i);
    }
    return std::nullopt;
}

const std::vector<std::string_view>& style_names() {
    static const std::vector<std::string_view> names = [] {
        std::vector<std::string_view> all;
        for (const Named& style : styles) all.push_back(style.name);
        return all;
    }();
    return names;
}

}  // namespace weir::sim
