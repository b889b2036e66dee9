// Addresses become the names that limits count by: one spelling, bounded, and no way to two names for one domain by
// case, dots or what comes before the @.

#include <algorithm>
#include <string>

#include "fuzz/fuzz.hpp"
#include "weir/policy/domain.hpp"
#include "weir/smtp/command.hpp"

namespace weir::fuzz {
namespace {

using policy::DomainName;
using std::string_view;

string_view folded(const DomainName& name) {
    return policy::view(name);
}

std::string upper_case(string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    return out;
}

bool is_name_character(char c) {
    return c > ' ' && static_cast<std::uint8_t>(c) < 0x7f && !(c >= 'A' && c <= 'Z');
}

void check_fold(string_view text) {
    const DomainName name = policy::fold_domain(text);
    promise(!name.empty() && name.size() <= 255, "a name is bounded, and there is one for everything");
    promise(std::all_of(name.begin(), name.end(), is_name_character), "a name is lower-case ASCII without blanks");
    promise(name == "@" || (name.find('@') == DomainName::npos && name.back() != '.'), "a name is a domain alone");
    promise(policy::fold_domain(folded(name)) == name, "a name is its own name");
    promise(policy::fold_domain(upper_case(text)) == name, "names have no case");
    promise(text.empty() || policy::fold_domain(std::string(text) + '.') == name, "a trailing dot means nothing");
    if (!text.empty()) {
        promise(policy::fold_domain("someone@" + std::string(text)) == name, "the local part does not matter");
    }
}

void check_registrable(string_view text) {
    const DomainName name = policy::fold_domain(text);
    const std::size_t offset = policy::registrable_offset(name);
    promise(offset < name.size() && (offset == 0 || name[offset - 1] == '.'), "a registrable domain is whole labels");
    const DomainName registrable = policy::registrable_domain(text);
    promise(folded(registrable) == folded(name).substr(offset), "a registrable domain is the end of the name");
    promise(policy::registrable_domain(folded(registrable)) == registrable, "it is its own registrable domain");
    if (name.size() < 200 && offset > 0) {
        promise(policy::registrable_domain("made-up." + std::string(folded(name))) == registrable,
                "a made-up subdomain brings no new name");
    }
}

}  // namespace
}  // namespace weir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace weir::fuzz;
    const std::string_view text = as_text(data, size);
    check_fold(text);
    check_registrable(text);
    weir::smtp::PathArgument argument;
    const std::string command = "<" + std::string(text) + ">";
    if (weir::smtp::parse_path(command, "", argument) == weir::smtp::PathError::none) {
        check_fold(argument.path);
        check_registrable(argument.path);
    }
    return 0;
}
