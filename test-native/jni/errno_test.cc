// The errno table of the Java side (Errno.java) says what this system says.
#include <cctype>
#include <cstring>
#include <fstream>
#include <map>
#include <regex>
#include <string>

#include <gtest/gtest.h>

namespace
{

std::string lower_first(std::string text)
{
    bool abbreviation = text.size() > 1 && isupper(static_cast<unsigned char>(text[1]));
    if (!text.empty() && !abbreviation) text[0] = static_cast<char>(tolower(static_cast<unsigned char>(text[0])));
    return text;
}

TEST(Errno, shouldAgreeWithTheSystemsTable)
{
    std::ifstream source(SENDFILED_SOURCE_DIR "/java/io/sendfiled/sys/Errno.java");
    ASSERT_TRUE(source.is_open());
    const std::regex constant("public static final int (E\\w+) = (\\d+);");
    const std::regex entry("put\\(table, (E\\w+), \"(\\w+)\", \"(.*)\"\\);");
    std::string line;
    std::smatch match;
    std::map<std::string, int> numbers;
    int entries = 0;

    while (std::getline(source, line)) {
        if (std::regex_search(line, match, constant)) {
            int number = std::stoi(match[2]);
            EXPECT_STREQ(strerrorname_np(number), match[1].str().c_str());
            numbers[match[1]] = number;
        } else if (std::regex_search(line, match, entry)) {
            ASSERT_EQ(numbers.count(match[1]), 1u) << line;
            EXPECT_EQ(match[1], match[2]) << line;
            EXPECT_EQ(lower_first(strerrordesc_np(numbers[match[1]])), match[3].str());
            entries++;
        }
    }
    EXPECT_EQ(entries, 131);
    EXPECT_EQ(numbers.size(), 131u);
}

} // namespace
