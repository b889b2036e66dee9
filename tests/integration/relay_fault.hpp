#pragma once

#include <array>
#include <ostream>
#include <string>
#include <string_view>

#include "support/fake_upstream.hpp"

namespace weir::test {

/// What a relay may do instead of giving the reply that is due.
enum class Fault : std::uint8_t {
    drop,
    reset,
    stall,
    farewell,            ///< 421, and the connection stays open
    farewell_and_close,  ///< 421, then end of file
    tempfail,
    permfail,
    wrong_class,   ///< 354 where 250 is due, 250 where 354 is
    garbage,       ///< a line without a code
    overlong,      ///< a line of 3,000 characters
    endless,       ///< 100,000 characters and no end of line
    many_lines,    ///< a reply of 200 lines
    mixed_codes,   ///< a reply whose lines do not agree
    bare_lf,       ///< a line that ends in LF
    nul,           ///< a NUL in the text
    half_a_reply,  ///< a code and a few characters, then end of file
    multi_line,    ///< the usual reply, on three lines: no fault
    in_pieces,     ///< the usual reply, byte by byte: no fault
};

struct NamedFault {
    Fault fault;
    const char* name;
};

inline constexpr std::array all_faults{
    NamedFault{Fault::drop, "Drop"},
    NamedFault{Fault::reset, "Reset"},
    NamedFault{Fault::stall, "Stall"},
    NamedFault{Fault::farewell, "Farewell"},
    NamedFault{Fault::farewell_and_close, "FarewellAndClose"},
    NamedFault{Fault::tempfail, "Tempfail"},
    NamedFault{Fault::permfail, "Permfail"},
    NamedFault{Fault::wrong_class, "WrongClass"},
    NamedFault{Fault::garbage, "Garbage"},
    NamedFault{Fault::overlong, "Overlong"},
    NamedFault{Fault::endless, "Endless"},
    NamedFault{Fault::many_lines, "ManyLines"},
    NamedFault{Fault::mixed_codes, "MixedCodes"},
    NamedFault{Fault::bare_lf, "BareLf"},
    NamedFault{Fault::nul, "Nul"},
    NamedFault{Fault::half_a_reply, "HalfAReply"},
    NamedFault{Fault::multi_line, "MultiLine"},
    NamedFault{Fault::in_pieces, "InPieces"},
};

/// A stage of the dialogue; of the recipients' three times as many as the relay tells apart.
struct NamedStage {
    Stage stage;
    const char* name;
    const char* usual_code;
    std::string_view recipient = {};  ///< only for RCPT: whose
};

inline std::string code_of_wrong_class(const NamedStage& stage) {
    return stage.stage == Stage::data ? "250" : "354";
}

inline Reaction reaction(const NamedStage& stage, Fault fault) {
    const std::string code = stage.usual_code;
    switch (fault) {
        case Fault::drop:
            return drop();
        case Fault::reset:
            return reset();
        case Fault::stall:
            return stall();
        case Fault::farewell:
            return reply("421 4.7.0 go away");
        case Fault::farewell_and_close:
            return reply_and_close("421 4.7.0 go away");
        case Fault::tempfail:
            return reply("450 4.3.0 later");
        case Fault::permfail:
            return reply("554 5.7.1 never");
        case Fault::wrong_class:
            return reply(code_of_wrong_class(stage) + " 2.0.0 what is this");
        case Fault::garbage:
            return reply("what a nice day");
        case Fault::overlong:
            return reply(code + ' ' + std::string(3'000, 'x'));
        case Fault::endless:
            return {.say = code + ' ' + std::string(100'000, 'x')};
        case Fault::many_lines: {
            std::string text;
            for (int i = 0; i < 199; ++i) text += code + "-and then\r\n";
            return reply(text + code + " at last");
        }
        case Fault::mixed_codes:
            return reply(code + "-2.0.0 yes\r\n550 5.7.1 no");
        case Fault::bare_lf:
            return {.say = code + " 2.0.0 yes\n"};
        case Fault::nul:
            return reply(code + " 2.0.0 y" + std::string(1, '\0') + "s");
        case Fault::half_a_reply:
            return {.say = code + " 2.0", .then = Reaction::Then::close};
        case Fault::multi_line:
            return reply(code + "-2.0.0 well\r\n" + code + "-2.0.0 yes\r\n" + code + " 2.0.0 indeed");
        case Fault::in_pieces:
            return {.in_pieces = true};
    }
    return {};
}

/// What it is for whoever asked: a reply that can be passed on, one that cannot, or none.
enum class Effect : std::uint8_t { none, refusal, loss };

inline Effect effect_of(const NamedStage& stage, Fault fault) {
    switch (fault) {
        case Fault::multi_line:
        case Fault::in_pieces:
            return Effect::none;
        case Fault::tempfail:
        case Fault::permfail:
        case Fault::farewell:
        case Fault::farewell_and_close:
            return Effect::refusal;
        case Fault::wrong_class:
            // What DATA and the dot are answered with ends the transaction in any case.
            return stage.stage == Stage::data || stage.stage == Stage::dot ? Effect::refusal : Effect::loss;
        default:
            return Effect::loss;
    }
}

}  // namespace weir::test
