// SPDX-License-Identifier: Apache-2.0
// Messages for the codec's tests: bytes from hex, and what ovs-ofctl and Open vSwitch sent one another.
#pragma once

#include <array>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/openflow/codec.hpp"

namespace turnout::test {

// Spaces are skipped; "-" is nothing.
inline of::Wire from_hex(const std::string& hex) {
    of::Wire bytes;
    for (size_t i = 0; i + 1 < hex.size(); i++)
        if (hex[i] != ' ') bytes.push_back(static_cast<uint8_t>(std::stoul(hex.substr(i++, 2), nullptr, 16)));
    return bytes;
}

inline std::string to_hex(of::Bytes bytes) {
    std::string hex;
    char digits[3];
    for (const uint8_t byte : bytes) std::snprintf(digits, sizeof digits, "%02x", byte), hex += digits;
    return hex.empty() ? "-" : hex;
}

// The message with its length field put right.
inline of::Wire sized(of::Wire message) {
    of::set16(message, 2, message.size());
    return message;
}

inline std::vector<std::string> lines_of(const std::string& name) {
    std::ifstream file(std::string(TEST_DATA) + "/" + name);
    if (!file) throw std::runtime_error("no test data " + name);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);)
        if (!line.empty() && line[0] != '#') lines.push_back(line);
    return lines;
}

// Every message to a switch in openflow-messages.jsonl.
inline std::vector<of::Wire> messages_to_switch() {
    std::vector<of::Wire> messages;
    for (const std::string& line : lines_of("openflow-messages.jsonl")) {
        const std::string key = "\"hex\": \"";
        const size_t at = line.find(key) + key.size();
        if (line.find("to_switch") != std::string::npos)
            messages.push_back(from_hex(line.substr(at, line.find('"', at) - at)));
    }
    return messages;
}

struct Flow {
    std::string text;
    of::Wire mod;
    std::array<std::string, 3> match, actions;  // of10, nxm, of13: hex, as Open vSwitch dumped them
};

inline std::vector<Flow> flows_of_ovs() {
    std::vector<Flow> flows;
    const auto lines = lines_of("openflow-flows.txt");
    for (size_t i = 0; i + 5 <= lines.size(); i += 5) {
        Flow flow{lines[i], from_hex(lines[i + 1].substr(4)), {}, {}};
        for (size_t format = 0; format < 3; format++) {
            const std::string& line = lines[i + 2 + format];
            const size_t first = line.find(' '), second = line.find(' ', first + 1);
            flow.match[format] = line.substr(first + 1, second - first - 1);
            flow.actions[format] = line.substr(second + 1);
        }
        flows.push_back(std::move(flow));
    }
    return flows;
}

}  // namespace turnout::test
