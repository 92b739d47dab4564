// SPDX-License-Identifier: Apache-2.0
// Reads parse_cases.inc: frames, and what parse() makes of them whole or cut.
#pragma once

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/ether.h>

#include <cstdint>
#include <cstring>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/flow/fields.hpp"
#include "engine/parse/parse.hpp"

namespace turnout::test {

struct Expected {
    FlowKey key{};
    Layers layers{};
};

struct Case {
    // What is known once the head and the frame are that long.
    struct Step {
        size_t head, frame;
        std::string assignments;
    };

    std::string name;
    std::vector<uint8_t> frame;
    std::vector<Step> steps;

    // What a head of that length from a frame of that length gives.
    Expected expect(size_t head, size_t frame_len) const;
};

inline void append_hex(std::vector<uint8_t>& frame, const std::string& word) {
    const std::string hex = word.substr(0, word.find('*'));
    const size_t times = hex == word ? 1 : std::stoul(word.substr(hex.size() + 1));
    if (hex.size() % 2 != 0) throw std::runtime_error("half a byte in " + word);
    for (size_t n = 0; n < times; n++)
        for (size_t i = 0; i < hex.size(); i += 2)
            frame.push_back(static_cast<uint8_t>(std::stoul(word.substr(i, 2), nullptr, 16)));
}

// Sets a field from its text, through the mask and place that fields.hpp gives it.
inline void assign(FlowKey& key, const std::string& name, const std::string& text) {
    const Field* field = find_field(name);
    if (field == nullptr) throw std::runtime_error("no field " + name);
    uint8_t bytes[16] = {};
    bool good = true;
    if (field->style == Style::Mac)
        good = ether_aton_r(text.c_str(), reinterpret_cast<ether_addr*>(bytes)) != nullptr;
    else if (field->style == Style::Ipv4 || field->style == Style::Ipv6)
        good = inet_pton(field->style == Style::Ipv4 ? AF_INET : AF_INET6, text.c_str(), bytes) == 1;
    else
        for (uint64_t i = 0, number = std::stoull(text, nullptr, 0) << field->shift; i < field->bytes; i++)
            bytes[i] = static_cast<uint8_t>(number >> 8 * (field->bytes - 1 - i));
    if (!good) throw std::runtime_error("bad value " + name + "=" + text);

    const FlowKey mask = mask_of(*field);
    const uint8_t* masked = reinterpret_cast<const uint8_t*>(&mask) + field->offset;
    uint8_t* at = reinterpret_cast<uint8_t*>(&key) + field->offset;
    for (size_t i = 0; i < field->bytes; i++)
        at[i] = static_cast<uint8_t>((at[i] & ~masked[i]) | (bytes[i] & masked[i]));
}

inline Expected Case::expect(size_t head, size_t frame_len) const {
    Expected expected;
    for (const Step& step : steps) {
        if (head < step.head || frame_len < step.frame) continue;
        std::istringstream words(step.assignments);
        for (std::string word; words >> word;) {
            const std::string name = word.substr(0, word.find('=')), text = word.substr(word.find('=') + 1);
            uint16_t* offset = name == "l2_5" ? &expected.layers.l2_5
                               : name == "l3" ? &expected.layers.l3
                               : name == "l4" ? &expected.layers.l4
                                              : nullptr;
            if (word == "@macs") {
                assign(expected.key, "eth_dst", "02:00:00:00:00:02");
                assign(expected.key, "eth_src", "02:00:00:00:00:01");
            } else if (offset != nullptr) {
                *offset = text == "none" ? Layers::kNone : static_cast<uint16_t>(std::stoul(text));
            } else {
                assign(expected.key, name, text);
            }
        }
    }
    return expected;
}

inline std::vector<Case> parse_cases() {
    static constexpr const char* kText =
#include "tests/engine/parse_cases.inc"
        ;
    std::vector<Case> cases;
    std::istringstream text(kText);
    for (std::string line; std::getline(text, line);) {
        if (line.empty() || line[0] == '#') continue;
        std::istringstream words(line);
        std::string first, word;
        words >> first;
        if (first == "==") {
            cases.push_back({line.substr(3), {}, {}});
        } else if (first == "=>") {
            words >> word;
            const size_t slash = word.find('/'), head = std::stoul(word);
            Case::Step step{head, slash == std::string::npos ? head : std::stoul(word.substr(slash + 1)), {}};
            std::getline(words, step.assignments);
            cases.back().steps.push_back(step);
        } else {
            while (words >> word) append_hex(cases.back().frame, word);
        }
    }
    return cases;
}

}  // namespace turnout::test
