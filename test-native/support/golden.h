// Reads the files of test-native/golden; messages.txt describes the format.
#ifndef SFD_TEST_GOLDEN_H
#define SFD_TEST_GOLDEN_H

#include <cstdint>
#include <map>
#include <string>
#include <vector>

using Bytes = std::vector<unsigned char>;

struct GoldenVector {
    std::string name;
    std::string kind;
    std::map<std::string, std::string> fields;
    Bytes bytes;

    bool has(const std::string &key) const
    {
        return fields.count(key) != 0;
    }
    uint64_t number(const std::string &key) const
    {
        return std::stoull(fields.at(key));
    }
    int64_t signedNumber(const std::string &key) const
    {
        return std::stoll(fields.at(key));
    }
};

// "0200 61*3" -> 02 00 61 61 61
Bytes parseBytes(const std::string &text);

// What is "OFFSET+LENGTH" or bytes in the field "segments", parted by ';'; none without that field.
std::vector<std::string> parseSegments(const GoldenVector &v);

std::vector<GoldenVector> readGoldenVectors(const std::string &file = "messages.txt");

// The vector of this name; throws when there is none.
GoldenVector goldenVector(const std::string &name, const std::string &file = "messages.txt");

#endif
