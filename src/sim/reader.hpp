#pragma once

#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "weir/core/result.hpp"

namespace weir::sim {

/// Collects what is wrong with a file, so that one run shows all of it.
class Problems {
public:
    explicit Problems(std::string file) : file_(std::move(file)) {}

    /// "FILE:LINE:COL: key: text"; without a key where there is none to name.
    void add(const YAML::Mark& mark, std::string_view key, std::string_view text);

    [[nodiscard]] bool empty() const { return lines_.empty(); }
    [[nodiscard]] std::string text() const;

private:
    std::string file_;
    std::vector<std::string> lines_;
};

/// One value and the key it stands under.
struct Value {
    YAML::Node node;
    std::string key;
    Problems* problems;

    void wrong(std::string_view text) const { problems->add(node.Mark(), key, text); }

    /// The scalar's text; wrong, and nothing, for a list, a map or null.
    [[nodiscard]] std::optional<std::string> text() const;

    /// The scalar through a parser of ours: `parse` returns a Result or an optional, `expected` says what it takes.
    template <class Parse>
    [[nodiscard]] auto parsed(Parse parse, std::string_view expected) const
        -> std::optional<std::decay_t<decltype(*parse(std::string_view()))>> {
        const auto scalar = text();
        if (!scalar) return std::nullopt;
        if (const auto value = parse(std::string_view(*scalar))) return *value;
        wrong("\"" + *scalar + "\" is not " + std::string(expected));
        return std::nullopt;
    }

    [[nodiscard]] std::optional<std::uint64_t> count() const;
    [[nodiscard]] std::optional<double> share() const;  ///< "20%" or "0.2"
    [[nodiscard]] std::optional<bool> flag() const;
    [[nodiscard]] std::vector<Value> items() const;  ///< of a list; a single scalar is a list of one
};

/// One map: keys are taken by name, and what nobody took is a mistake.
class MapReader {
public:
    explicit MapReader(const Value& value);
    ~MapReader() = default;
    MapReader(const MapReader&) = delete;
    MapReader& operator=(const MapReader&) = delete;

    [[nodiscard]] std::optional<Value> take(const std::string& key);

    /// Complains of every key that was never asked for. Call it last.
    void finish() const;

    void wrong(std::string_view text) const { self_.wrong(text); }

private:
    Value self_;
    std::set<std::string> known_;
};

}  // namespace weir::sim
