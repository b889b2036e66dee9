#include "weir/sim/script.hpp"

#include <re2/re2.h>

#include <boost/algorithm/string/case_conv.hpp>
#include <charconv>
#include <fstream>
#include <sstream>

#include "reader.hpp"

namespace weir::sim {
namespace {

std::optional<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view host = text.substr(0, colon);
    const std::string_view port = text.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    const auto address = core::parse_ip(host);
    Endpoint endpoint;
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (!address || port.empty() || error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
    endpoint.address = *address;
    return endpoint;
}

std::optional<core::Duration> parse_positive_duration(std::string_view text) {
    const auto duration = core::parse_duration(text);
    if (!duration || *duration <= core::Duration::zero()) return std::nullopt;
    return *duration;
}

constexpr std::string_view a_duration = "a duration (500ms, 42s, 5m, 1h)";

std::optional<core::Duration> take_duration(MapReader& map, const std::string& key) {
    const auto value = map.take(key);
    return value ? value->parsed(parse_positive_duration, a_duration) : std::nullopt;
}

std::optional<std::uint64_t> take_count(MapReader& map, const std::string& key) {
    const auto value = map.take(key);
    return value ? value->count() : std::nullopt;
}

std::optional<smtp::Reply> read_reply(const Value& value) {
    return value.parsed(parse_reply, "an SMTP reply (\"451 4.7.1 text\")");
}

std::string list_of(const auto& names) {
    std::string all = "one of ";
    for (const std::string_view name : names) all += (all.size() == 7 ? "" : ", ") + std::string(name);
    return all;
}

Style take_style(MapReader& map, Style fallback) {
    const auto value = map.take("style");
    return value ? value->parsed(parse_style, list_of(style_names())).value_or(fallback) : fallback;
}

/// `reply:` in a map that has one, else the style's words for the occasion.
smtp::Reply take_reply(MapReader& map, Style style, Occasion occasion) {
    const auto value = map.take("reply");
    const auto written = value ? read_reply(*value) : std::nullopt;
    return written ? *written : styled_reply(style, occasion).reply;
}

void read_latency(const Value& value, IspSettings& isp) {
    const auto parse = [](std::string_view text) { return core::parse_duration(text); };
    if (value.node.IsScalar()) {
        isp.latency.fill(value.parsed(parse, a_duration).value_or(core::Duration::zero()));
        // Once per session and once per message is enough: a message's latency is not the sum of its silent moments.
        for (const Stage silent : {Stage::connect, Stage::body, Stage::accepted}) {
            isp.latency[static_cast<std::size_t>(silent)] = core::Duration::zero();
        }
        return;
    }
    MapReader map(value);
    for (std::size_t i = 0; i < stage_names.size(); ++i) {
        const auto stage = map.take(std::string(stage_names[i]));
        if (stage) isp.latency[i] = stage->parsed(parse, a_duration).value_or(core::Duration::zero());
    }
    map.finish();
}

/// A number, or a map of the number and how its being exceeded is told.
void take_cap(MapReader& map, const std::string& key, Style style, Occasion occasion, std::optional<std::uint32_t>& cap,
              smtp::Reply& reply) {
    reply = styled_reply(style, occasion).reply;
    const auto value = map.take(key);
    if (!value) return;
    std::optional<std::uint64_t> number;
    if (value->node.IsScalar()) {
        number = value->count();
    } else {
        MapReader inner(*value);
        number = take_count(inner, "max");
        if (!number) inner.wrong("max: how many?");
        const Style own_style = take_style(inner, style);
        reply = take_reply(inner, own_style, occasion);
        inner.finish();
    }
    if (number) cap = static_cast<std::uint32_t>(*number);
}

Occasion limit_occasion(const LimitSettings& limit) {
    if (limit.quota.rate.per >= std::chrono::hours(12)) return Occasion::daily_quota;
    return limit.unit == LimitSettings::Unit::messages ? Occasion::rate : Occasion::recipient_rate;
}

void take_quota(MapReader& map, LimitSettings& limit) {
    const auto messages = map.take("messages");
    const auto recipients = map.take("recipients");
    if (messages.has_value() == recipients.has_value()) return map.wrong("either messages or recipients is needed");
    limit.unit = messages ? LimitSettings::Unit::messages : LimitSettings::Unit::recipients;
    const Value& value = messages ? *messages : *recipients;
    const auto parse = [](std::string_view text) { return core::parse_quota(text); };
    const auto quota = value.parsed(parse, "a rate (100/min, 5000/day, 14/s burst 30)");
    if (!quota) return;
    limit.quota = *quota;
    if (limit.window != LimitSettings::Window::bucket && quota->burst != quota->rate.count) {
        value.wrong("a burst is for window: bucket");
    }
}

LimitSettings read_limit(const Value& value, Style style) {
    LimitSettings limit;
    limit.quota = {.rate = {.count = 1, .per = std::chrono::seconds(1)}, .burst = 1};
    MapReader map(value);
    if (const auto name = map.take("name")) limit.name = name->text().value_or(limit.name);
    if (const auto window = map.take("window")) {
        const auto parse = [](std::string_view text) -> std::optional<LimitSettings::Window> {
            if (text == "sliding") return LimitSettings::Window::sliding;
            if (text == "fixed") return LimitSettings::Window::fixed;
            if (text == "bucket") return LimitSettings::Window::bucket;
            return std::nullopt;
        };
        limit.window = window->parsed(parse, "one of sliding, fixed, bucket").value_or(limit.window);
    }
    if (const auto per = map.take("per")) {
        const auto parse = [](std::string_view text) -> std::optional<LimitSettings::Per> {
            if (text == "host") return LimitSettings::Per::host;
            if (text == "sender") return LimitSettings::Per::sender;
            if (text == "sender_domain") return LimitSettings::Per::sender_domain;
            return std::nullopt;
        };
        limit.per = per->parsed(parse, "one of host, sender, sender_domain").value_or(limit.per);
    }
    take_quota(map, limit);
    const Style own_style = take_style(map, style);
    const Occasion occasion = limit_occasion(limit);
    limit.stage = styled_reply(own_style, occasion).stage;
    limit.reply = take_reply(map, own_style, occasion);
    if (const auto stage = map.take("stage")) {
        const auto parse = [](std::string_view text) -> std::optional<Stage> {
            for (const Stage allowed : {Stage::greeting, Stage::mail, Stage::rcpt, Stage::data, Stage::dot}) {
                if (to_string(allowed) == text) return allowed;
            }
            return std::nullopt;
        };
        limit.stage = stage->parsed(parse, "one of greeting, mail, rcpt, data, dot").value_or(limit.stage);
    }
    if (limit.stage == Stage::greeting && limit.per != LimitSettings::Per::host) {
        map.wrong("at the greeting there is no sender yet: per must be host");
    }
    map.finish();
    return limit;
}

void take_block_reply(MapReader& map, const std::string& key, Style style, Occasion occasion,
                      std::optional<smtp::Reply>& reply) {
    reply = styled_reply(style, occasion).reply;
    const auto value = map.take(key);
    if (!value) return;
    if (value->node.IsScalar() && value->node.Scalar() == "open") {
        reply.reset();
    } else if (const auto written = read_reply(*value)) {
        reply = *written;
    }
}

void read_block(const Value& value, Style style, ReputationSettings& reputation) {
    MapReader map(value);
    reputation.block = take_duration(map, "time").value_or(reputation.block);
    reputation.max_block = take_duration(map, "max").value_or(std::max(reputation.max_block, reputation.block));
    reputation.lengthen_by = take_duration(map, "lengthen_by").value_or(reputation.lengthen_by);
    if (const auto factor = map.take("lengthen_factor")) {
        const auto parse = [](std::string_view text) -> std::optional<double> {
            double number = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
            if (error != std::errc{} || end != text.data() + text.size() || !(number >= 1 && number <= 100)) {
                return std::nullopt;
            }
            return number;
        };
        reputation.lengthen_factor = factor->parsed(parse, "a factor from 1 to 100").value_or(1);
    }
    take_block_reply(map, "greeting", style, Occasion::blocked_greeting, reputation.greeting);
    take_block_reply(map, "mail", style, Occasion::blocked_mail, reputation.mail);
    if (reputation.max_block < reputation.block) map.wrong("max is below time");
    map.finish();
}

ReputationSettings read_reputation(const Value& value, Style style) {
    ReputationSettings reputation;
    MapReader map(value);
    reputation.within = take_duration(map, "within").value_or(reputation.within);
    reputation.messages = take_count(map, "messages");
    reputation.sender_domains = take_count(map, "sender_domains");
    if (const auto share = map.take("unknown_users")) reputation.unknown_users = share->share();
    reputation.min_recipients = take_count(map, "min_recipients").value_or(reputation.min_recipients);
    if (!reputation.messages && !reputation.sender_domains && !reputation.unknown_users) {
        map.wrong("at least one of messages, sender_domains and unknown_users is needed");
    }
    const Style own_style = take_style(map, style);
    const auto block = map.take("block");
    read_block(block ? *block : Value{YAML::Node(YAML::NodeType::Map), value.key + ".block", value.problems}, own_style,
               reputation);
    map.finish();
    return reputation;
}

GreylistSettings read_greylisting(const Value& value, Style style) {
    GreylistSettings greylisting;
    MapReader map(value);
    greylisting.delay = take_duration(map, "delay").value_or(greylisting.delay);
    greylisting.lifetime = take_duration(map, "lifetime").value_or(greylisting.lifetime);
    const Style own_style = take_style(map, style);
    greylisting.reply = take_reply(map, own_style, Occasion::greylisted);
    map.finish();
    return greylisting;
}

UnknownUserSettings read_unknown_users(const Value& value, Style style) {
    UnknownUserSettings unknown;
    MapReader map(value);
    if (const auto addresses = map.take("addresses")) {
        for (const Value& item : addresses->items()) {
            unknown.addresses.push_back(boost::algorithm::to_lower_copy(item.text().value_or("")));
        }
    }
    if (const auto pattern = map.take("pattern")) {
        unknown.pattern = pattern->text().value_or("");
        const re2::RE2 compiled(unknown.pattern, re2::RE2::Quiet);
        if (!compiled.ok()) pattern->wrong("not a pattern that RE2 takes: " + compiled.error());
    }
    if (const auto fraction = map.take("fraction")) unknown.fraction = fraction->share().value_or(0);
    const Style own_style = take_style(map, style);
    unknown.reply = take_reply(map, own_style, Occasion::unknown_user);
    map.finish();
    return unknown;
}

void read_fault_kind(MapReader& map, FaultSettings& fault) {
    const auto end = map.take("do");
    const auto stall = map.take("stall");
    const auto reply = map.take("reply");
    const auto raw = map.take("raw");
    if (end.has_value() + stall.has_value() + reply.has_value() + raw.has_value() != 1) {
        return map.wrong("exactly one of do, stall, reply and raw is needed");
    }
    if (end) {
        const auto parse = [](std::string_view text) -> std::optional<bool> {
            if (text == "drop") return false;
            if (text == "reset") return true;
            return std::nullopt;
        };
        const bool is_reset = end->parsed(parse, "one of drop, reset").value_or(false);
        if (is_reset) fault.what = FaultSettings::Reset{};
    } else if (stall) {
        fault.what =
            FaultSettings::Stall{stall->parsed(parse_positive_duration, a_duration).value_or(core::Duration())};
    } else if (reply) {
        fault.what = FaultSettings::Say{read_reply(*reply).value_or(smtp::Reply())};
    } else {
        fault.what = FaultSettings::Raw{raw->text().value_or("")};
    }
}

void read_fault_times(MapReader& map, FaultSettings& fault) {
    const auto probability = map.take("probability");
    const auto every = map.take("every");
    const auto first = map.take("first");
    if (probability.has_value() + every.has_value() + first.has_value() > 1) {
        return map.wrong("at most one of probability, every and first is possible");
    }
    if (probability) fault.when = FaultSettings::Probability{probability->share().value_or(0)};
    if (every) fault.when = FaultSettings::Every{every->count().value_or(1)};
    if (first) fault.when = FaultSettings::First{first->count().value_or(1)};
}

/// One entry of `faults:`; `at` may name several stages, each of which gets the fault.
void read_fault(const Value& value, std::vector<FaultSettings>& faults) {
    FaultSettings fault;
    MapReader map(value);
    read_fault_kind(map, fault);
    read_fault_times(map, fault);
    const auto stages = map.take("at");
    if (!stages) {
        map.wrong("at: at which stage?");
    } else {
        for (const Value& item : stages->items()) {
            fault.stage = item.parsed(parse_stage, list_of(stage_names)).value_or(Stage::mail);
            faults.push_back(fault);
        }
    }
    map.finish();
}

void read_extensions(const Value& value, ExtensionSettings& extensions) {
    extensions.size = extensions.eight_bit_mime = extensions.smtputf8 = false;
    extensions.dsn = extensions.pipelining = extensions.enhanced_status_codes = false;
    if (value.node.IsScalar() && value.node.Scalar() == "helo_only") {
        extensions.ehlo = false;
        return;
    }
    for (const Value& item : value.items()) {
        const auto parse = [&](std::string_view text) -> std::optional<bool*> {
            if (text == "size") return &extensions.size;
            if (text == "8bitmime") return &extensions.eight_bit_mime;
            if (text == "smtputf8") return &extensions.smtputf8;
            if (text == "dsn") return &extensions.dsn;
            if (text == "pipelining") return &extensions.pipelining;
            if (text == "enhancedstatuscodes") return &extensions.enhanced_status_codes;
            return std::nullopt;
        };
        const auto which = item.parsed(
            parse, "one of size, 8bitmime, smtputf8, dsn, pipelining, enhancedstatuscodes; or helo_only for all");
        if (which) **which = true;
    }
}

void read_isp(MapReader& map, IspSettings& isp) {
    const Style style = take_style(map, Style::generic);
    if (const auto hostname = map.take("hostname")) isp.hostname = hostname->text().value_or(isp.hostname);
    if (const auto seed = map.take("seed")) isp.seed = seed->count().value_or(isp.seed);
    if (const auto latency = map.take("latency")) read_latency(*latency, isp);
    take_cap(map, "max_connections", style, Occasion::connections, isp.max_connections, isp.max_connections_reply);
    take_cap(map, "max_messages_per_connection", style, Occasion::messages_per_connection,
             isp.max_messages_per_connection, isp.max_messages_reply);
    take_cap(map, "recipients_per_message", style, Occasion::recipients_per_message, isp.recipients_per_message,
             isp.recipients_per_message_reply);
    if (const auto limits = map.take("limits")) {
        for (const Value& item : limits->items()) isp.limits.push_back(read_limit(item, style));
    }
    if (const auto reputation = map.take("reputation")) isp.reputation = read_reputation(*reputation, style);
    if (const auto greylisting = map.take("greylisting")) isp.greylisting = read_greylisting(*greylisting, style);
    if (const auto unknown = map.take("unknown_users")) isp.unknown_users = read_unknown_users(*unknown, style);
    if (const auto faults = map.take("faults")) {
        for (const Value& item : faults->items()) read_fault(item, isp.faults);
    }
}

Settings read_settings(const Value& root) {
    constexpr std::string_view an_endpoint = "an address and port (127.0.0.1:2525, [::1]:2525; port 0: any)";
    Settings settings;
    settings.listen.address = core::parse_ip("127.0.0.1").value();
    MapReader map(root);
    if (const auto listen = map.take("listen")) {
        settings.listen = listen->parsed(parse_endpoint, an_endpoint).value_or(settings.listen);
    }
    if (const auto admin = map.take("admin")) settings.admin = admin->parsed(parse_endpoint, an_endpoint);
    if (const auto record = map.take("record")) settings.record = record->text().value_or("");
    if (const auto extensions = map.take("extensions")) read_extensions(*extensions, settings.extensions);
    if (const auto size = map.take("max_size")) {
        const auto parse = [](std::string_view text) { return core::parse_bytes(text); };
        settings.extensions.max_size = size->parsed(parse, "a size (64k, 10M)").value_or(settings.extensions.max_size);
    }
    read_isp(map, settings.isp);
    map.finish();
    return settings;
}

}  // namespace

Settings load_file(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::ostringstream text;
    text << stream.rdbuf();
    if (!stream) throw ScriptError(file.string() + ": cannot be read");
    return load_text(text.str(), file.string());
}

Settings load_text(const std::string& text, const std::string& name) {
    Problems problems(name);
    try {
        const Value root{YAML::Load(text), "", &problems};
        Settings settings = read_settings(root);
        if (problems.empty()) return settings;
    } catch (const YAML::Exception& error) {
        problems.add(error.mark, "", error.msg);
    }
    throw ScriptError(problems.text());
}

}  // namespace weir::sim
