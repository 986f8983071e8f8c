package io.sendfiled.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.StringReader;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;

/** The page opens from a disk, in any browser: it is well-formed, needs no network, and shows what was measured. */
final class HtmlReportTest {
    private String html;
    private Document page;

    @BeforeEach
    void render() throws Exception {
        html = HtmlReport.of(ExampleResults.make());
        page = parse(html);
    }

    private static Document parse(String html) throws Exception {
        return DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(new InputSource(new StringReader(html)));
    }

    private static List<Element> elements(NodeList nodes) {
        List<Element> elements = new ArrayList<>();
        for (int i = 0; i < nodes.getLength(); i++) {
            elements.add((Element) nodes.item(i));
        }
        return elements;
    }

    private List<Element> elements(String tag) {
        return elements(page.getElementsByTagName(tag));
    }

    private List<Element> charts() {
        return elements("svg").stream().filter(svg -> svg.hasAttribute("role")).toList();
    }

    private static boolean has(Element parent, String tag) {
        return parent.getElementsByTagName(tag).getLength() > 0;
    }

    @Test
    void shouldLoadNothing() {
        Set<String> loading = Set.of("script", "link", "img", "image", "iframe", "object", "embed", "use", "base");
        for (Element element : elements("*")) {
            assertFalse(loading.contains(element.getTagName()), element.getTagName());
            for (int i = 0; i < element.getAttributes().getLength(); i++) {
                Node attribute = element.getAttributes().item(i);
                boolean refers =
                        Set.of("href", "src", "srcset", "style", "xlink:href").contains(attribute.getNodeName());
                assertTrue(!refers || attribute.getNodeValue().startsWith("#"), attribute.toString());
            }
        }
        String style = elements("style").get(0).getTextContent();
        assertFalse(style.contains("url(") || style.contains("@import"), style);
    }

    @Test
    void shouldDrawEachKindOfChart() {
        List<String> titles = charts().stream()
                .map(svg -> svg.getElementsByTagName("title").item(0).getTextContent())
                .toList();

        for (String kind : List.of(
                "Ratios", "Numbers", "rate over time", "rate by size", "p99 by size", "Latency", "4 KiB: rate")) {
            assertTrue(titles.stream().anyMatch(title -> title.contains(kind)), () -> kind + " is not in " + titles);
        }
    }

    @Test
    void shouldHaveDataAndADescriptionInEachChart() {
        for (Element chart : charts()) {
            assertTrue(has(chart, "rect") || has(chart, "circle") || has(chart, "polyline"), chart::getTextContent);
            assertFalse(
                    chart.getElementsByTagName("desc").item(0).getTextContent().isBlank(), chart::getTextContent);
            for (String id : chart.getAttribute("aria-labelledby").split(" ", -1)) {
                assertEquals(
                        1,
                        elements("*").stream()
                                .filter(e -> e.getAttribute("id").equals(id))
                                .count(),
                        id);
            }
        }
    }

    @Test
    void shouldPlaceAllOfAChartInsideOfIt() {
        for (Element chart : charts()) {
            for (Element shape : elements(chart.getElementsByTagName("*"))) {
                for (String name : List.of("x", "x1", "x2", "cx", "width")) {
                    String value = shape.getAttribute(name);
                    assertFalse(value.contains("NaN") || value.startsWith("-"), () -> shape.getTagName() + " " + value);
                    if (value.endsWith("%")) {
                        assertTrue(Double.parseDouble(value.replace("%", "")) <= 100, value);
                    }
                }
            }
        }
    }

    @Test
    void shouldHaveAStyleThatHtmlDoesNotReadInAnotherWay() {
        String style = html.substring(html.indexOf("<style>") + 7, html.indexOf("</style>"));

        assertFalse(style.contains("&") || style.contains("<"), "HTML does not decode what is in a style");
    }

    @Test
    void shouldShowASideThatStoodStill() throws Exception {
        Report report = new Report(0, false);
        for (int round = 0; round < 5; round++) {
            report.sample("web", "beside", "ours", "rate", "requests/s", 100);
            report.sample("web", "beside", "theirs", "rate", "requests/s", 0);
        }
        report.compareRounds("web", "beside", "ours", "ours", "ours", "rate", null);
        report.compareRounds("web", "beside", "theirs", "theirs", "ours", "rate", null);
        report.compare("web", "beside", "faster", 9, 1, null);
        report.compare("web", "beside", "half", 1, 2, null);
        report.took("web", "Does it stand still?", 1);
        page = parse(HtmlReport.of(report.results(5)));

        assertEquals(
                "beside: rate",
                charts().get(1).getElementsByTagName("title").item(0).getTextContent());
        assertTrue(charts().get(1).getTextContent().contains("theirs"), "among the sides");
        Element ratios = charts().get(0);
        List<Element> bars = elements(ratios.getElementsByTagName("rect"));
        assertEquals("0.00%", bars.get(1).getAttribute("x"), "zero has the end of a logarithmic axis");
        assertTrue(Double.parseDouble(bars.get(3).getAttribute("x").replace("%", "")) > 8, "and nothing else has it");
        assertTrue(
                elements(ratios.getElementsByTagName("text")).stream()
                        .anyMatch(text -> text.getTextContent().equals("0")
                                && text.getAttribute("x").equals("0")),
                "it is marked");
        assertTrue(ratios.getTextContent().contains("logarithmic"), ratios::getTextContent);
    }

    @Test
    void shouldSayWhatAMarkOfALatencyIs() {
        Element latency = charts().stream()
                .filter(svg -> svg.getElementsByTagName("title")
                        .item(0)
                        .getTextContent()
                        .equals("Latency"))
                .findFirst()
                .orElseThrow();

        List<String> texts = elements(latency.getElementsByTagName("text")).stream()
                .map(Element::getTextContent)
                .toList();
        assertTrue(texts.containsAll(List.of("p50", "p99", "max")), texts::toString);
    }

    @Test
    void shouldLabelTheCellsOfATableWithoutAHeader() {
        for (Element cell : elements("td")) {
            assertEquals(
                    cell.getAttribute("class").split(" ", -1)[0].replace('-', ' ') + ":",
                    cell.getAttribute("data-label"));
        }
    }

    @Test
    void shouldHaveNoIdTwiceAndNoLinkToNowhere() {
        Set<String> ids = new HashSet<>();
        for (Element element : elements("*")) {
            assertTrue(!element.hasAttribute("id") || ids.add(element.getAttribute("id")), element.getAttribute("id"));
        }
        assertFalse(elements("a").isEmpty());
        for (Element link : elements("a")) {
            assertTrue(ids.contains(link.getAttribute("href").substring(1)), link.getAttribute("href"));
        }
    }

    @Test
    void shouldTellOfLossesBeforeAnyScenario() {
        List<String> sections = elements("section").stream()
                .map(section -> section.getAttribute("id"))
                .toList();
        assertEquals(List.of("losses", "scenario-web", "scenario-hot", "environment"), sections);

        String losses = elements("section").get(0).getTextContent();
        assertTrue(losses.contains("✗ missed") && losses.contains("of theirs, doubled"), losses);
        assertTrue(losses.contains("~ noisy") && losses.contains("p99"), losses);
        assertTrue(losses.contains("3 requests failed") && losses.contains("it is missing"), losses);
        assertTrue(losses.indexOf("missed") < losses.indexOf("noisy"), losses);
        assertTrue(losses.contains("nginx, sendfile on: 50.0 MiB") && losses.contains("2.00"), losses);
    }

    @Test
    void shouldShowNamesAsTheyAre() {
        String text = page.getDocumentElement().getTextContent();

        assertTrue(text.contains("How fast is " + ExampleResults.HOSTILE + "?"), text);
    }

    @Test
    void shouldShowEachSample() {
        String text = page.getDocumentElement().getTextContent();

        assertTrue(text.contains("100,000  100,100  100,200  100,300  100,400  100,500"), text);
    }
}
