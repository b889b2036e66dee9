#include "reader.hpp"

#include <charconv>

namespace weir::sim {

void Problems::add(const YAML::Mark& mark, std::string_view key, std::string_view text) {
    std::string line = file_;
    if (!mark.is_null()) line += ':' + std::to_string(mark.line + 1) + ':' + std::to_string(mark.column + 1);
    line += ": ";
    if (!key.empty()) line += std::string(key) + ": ";
    lines_.push_back(line + std::string(text));
}

std::string Problems::text() const {
    std::string all;
    for (const std::string& line : lines_) all += (all.empty() ? "" : "\n") + line;
    return all;
}

std::optional<std::string> Value::text() const {
    if (node.IsScalar()) return node.Scalar();
    wrong("one value is expected here, not a list, a map or nothing");
    return std::nullopt;
}

std::optional<std::uint64_t> Value::count() const {
    const auto parse = [](std::string_view text) -> std::optional<std::uint64_t> {
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size() || number == 0 || number > 1'000'000'000) {
            return std::nullopt;
        }
        return number;
    };
    return parsed(parse, "a whole number from 1 to 1000000000");
}

std::optional<double> Value::share() const {
    const auto parse = [](std::string_view text) -> std::optional<double> {
        const bool is_percent = !text.empty() && text.back() == '%';
        if (is_percent) text.remove_suffix(1);
        double number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (is_percent) number /= 100;
        if (error != std::errc{} || end != text.data() + text.size() || !(number >= 0 && number <= 1)) {
            return std::nullopt;
        }
        return number;
    };
    return parsed(parse, "a share, \"20%\" or \"0.2\"");
}

std::optional<bool> Value::flag() const {
    const auto parse = [](std::string_view text) -> std::optional<bool> {
        if (text == "true") return true;
        if (text == "false") return false;
        return std::nullopt;
    };
    return parsed(parse, "true or false");
}

std::vector<Value> Value::items() const {
    if (node.IsScalar()) return {*this};
    std::vector<Value> all;
    if (!node.IsSequence()) wrong("a list is expected here");
    for (std::size_t i = 0; node.IsSequence() && i < node.size(); ++i) {
        all.push_back({node[i], key + '[' + std::to_string(i) + ']', problems});
    }
    return all;
}

MapReader::MapReader(const Value& value) : self_(value) {
    if (!self_.node.IsMap()) self_.wrong("a map is expected here");
}

std::optional<Value> MapReader::take(const std::string& key) {
    known_.insert(key);
    if (!self_.node.IsMap()) return std::nullopt;
    const YAML::Node node = self_.node[key];
    if (!node) return std::nullopt;
    return Value{node, self_.key.empty() ? key : self_.key + '.' + key, self_.problems};
}

void MapReader::finish() const {
    if (!self_.node.IsMap()) return;
    std::string allowed;
    for (const std::string& key : known_) allowed += (allowed.empty() ? "" : ", ") + key;
    std::set<std::string> seen;
    for (const auto& item : self_.node) {
        const std::string key = item.first.IsScalar() ? item.first.Scalar() : "";
        const std::string path = self_.key.empty() ? key : self_.key + '.' + key;
        if (!known_.contains(key)) self_.problems->add(item.first.Mark(), path, "unknown key; known here: " + allowed);
        // yaml-cpp keeps both and finds the first: the second would silently have no effect.
        if (!seen.insert(key).second) self_.problems->add(item.first.Mark(), path, "given twice");
    }
}

}  // namespace weir::sim
