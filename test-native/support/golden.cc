// Reads the files of test-native/golden.
#include "golden.h"

#include <fstream>
#include <sstream>
#include <stdexcept>

Bytes parseBytes(const std::string &text)
{
    Bytes bytes;
    std::istringstream groups(text);
    std::string group;

    while (groups >> group) {
        const auto star = group.find('*');
        const std::string hex = group.substr(0, star);
        const unsigned long times = star == std::string::npos ? 1 : std::stoul(group.substr(star + 1));

        for (unsigned long n = 0; n < times; n++) {
            for (size_t i = 0; i < hex.size(); i += 2) {
                bytes.push_back(static_cast<unsigned char>(std::stoul(hex.substr(i, 2), nullptr, 16)));
            }
        }
    }
    return bytes;
}

std::vector<std::string> parseSegments(const GoldenVector &v)
{
    std::vector<std::string> segments;

    if (!v.has("segments")) return segments;
    std::istringstream fields(v.fields.at("segments"));
    std::string segment;
    while (std::getline(fields, segment, ';')) {
        segments.push_back(segment);
    }
    return segments;
}

std::vector<GoldenVector> readGoldenVectors(const std::string &name)
{
    std::ifstream file(SENDFILED_SOURCE_DIR "/test-native/golden/" + name);
    std::vector<GoldenVector> vectors;
    std::string line;

    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#') {
            continue;
        }
        const auto first = line.find('|');
        const auto second = line.find('|', first + 1);
        GoldenVector vector;
        std::istringstream words(line.substr(first + 1, second - first - 1));
        std::string word;

        std::istringstream(line.substr(0, first)) >> vector.name;
        words >> vector.kind;
        while (words >> word) {
            const auto equals = word.find('=');
            vector.fields[word.substr(0, equals)] = word.substr(equals + 1);
        }
        vector.bytes = parseBytes(line.substr(second + 1));
        vectors.push_back(vector);
    }
    return vectors;
}

GoldenVector goldenVector(const std::string &name, const std::string &file)
{
    for (const GoldenVector &vector : readGoldenVectors(file)) {
        if (vector.name == name) {
            return vector;
        }
    }
    throw std::runtime_error("no golden vector " + name);
}
