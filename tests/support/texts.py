# ruff: noqa: RUF001 - several scripts are what this is about
"""Answers as models write them: good ones that repeat themselves for a reason, and loops."""

from __future__ import annotations

import json
import random

ENGLISH = (
    "Water boils at a lower temperature on a mountain because the air presses less on its surface there, and so its "
    "molecules need less energy to leave it. Pasta therefore takes longer to cook than at the sea. A pressure cooker "
    "turns this around: the steam cannot get out, the pressure rises, and with it the temperature at which the water "
    "boils. What was done in an hour is then done in twenty minutes. If you live high up, add a few minutes for each "
    "three hundred metres, keep the lid on, and taste before you drain. Bakers know a second effect: gases in a dough "
    "expand more where the air is thin, so bread rises faster and may collapse. Use a little less yeast, a little more "
    "flour, and an oven that is ten degrees hotter, and look at the loaf rather than at the clock."
)
GERMAN = (
    "Wasser kocht auf einem Berg bei niedrigerer Temperatur, weil die Luft dort weniger auf die Oberfläche drückt. "
    "Nudeln brauchen deshalb länger als am Meer. Ein Schnellkochtopf kehrt das um: Der Dampf kann nicht hinaus, der "
    "Druck steigt, und mit ihm der Siedepunkt. Was sonst eine Stunde dauert, ist dann in zwanzig Minuten fertig. "
    "Größere Mengen brauchen außerdem mehr Zeit, bis sie überhaupt heiß sind; das Salz ändert daran fast nichts."
)
FRENCH = (
    "L'eau bout à une température plus basse en montagne, parce que l'air y pèse moins sur sa surface. Les pâtes y "
    "cuisent donc plus lentement qu'au bord de la mer. Dans un autocuiseur, c'est l'inverse : la vapeur ne peut pas "
    "sortir, la pression monte, et avec elle le point d'ébullition. « Goûtez avant d'égoutter », disait ma grand-mère."
)
RUSSIAN = (
    "Вода кипит в горах при более низкой температуре, потому что воздух там слабее давит на её поверхность. Поэтому "
    "макароны варятся дольше, чем у моря. Скороварка действует наоборот: пар не может выйти, давление растёт, а вместе "
    "с ним и температура кипения. Чтобы измерить её, можно использовать Python и датчик с интерфейсом USB, а данные "
    "сохранить в формате CSV или JSON. API датчика описан в документации производителя."
)
CHINESE = (
    "水在山上沸腾的温度较低，因为那里的空气对水面的压力较小，水分子离开水面所需的能量也就更少。"
    "因此，在高原上煮面条要比在海边花更长的时间。"
    "高压锅的原理恰好相反：蒸汽无法逸出，锅内压力升高，水的沸点也随之上升，原本需要一个小时才能炖烂的牛肉，二十分钟就可以上桌。"
    "如果你住在海拔较高的地方，每升高三百米就多煮几分钟，盖好锅盖，并在沥水之前先尝一尝。"
    "面包师还知道另一个现象：空气稀薄的地方面团里的气体膨胀得更快，"
    "所以面包容易发得太快而塌陷。可以少放一点酵母，"
    "多加一点面粉，把烤箱温度调高十度。若想记录温度，可以用 Python 写一个小脚本，"
    "通过 USB 读取传感器的数据，"
    "再保存为 CSV 文件。"
)
JAPANESE = (
    "山の上では空気が水面を押す力が弱いため、水はより低い温度で沸騰します。そのため、パスタをゆでるには"
    "海辺よりも長い時間がかかります。"
    "圧力鍋はその逆で、蒸気が外に出られないので圧力が上がり、沸点も高くなります。普段なら一時間かかる煮込み料理も、二十分ほどで出来上がります。"
    "標高の高い所に住んでいるなら、三百メートルごとに数分長くゆで、ふたを閉め、湯を切る前に味見をしてください。Pythonのコードで温度を記録することもできます。"
)
KOREAN = (
    "산 위에서는 공기가 물의 표면을 누르는 힘이 약하기 때문에 "
    "물이 더 낮은 온도에서 끓습니다. 그래서 파스타를 삶는 데 바닷가보다 시간이 더 "
    "걸립니다. 압력솥은 그 반대입니다. 증기가 빠져나갈 수 없으니 압력이 "
    "올라가고 끓는점도 함께 높아집니다. API를 써서 온도를 기록할 수도 있습니다."
)
ARABIC = (
    "يغلي الماء على الجبل عند درجة حرارة أقل لأن الهواء يضغط هناك على سطحه بقوة أقل. لذلك تحتاج المعكرونة إلى وقت "
    "أطول مما تحتاجه عند البحر. أما قدر الضغط فيعمل بالعكس: لا يستطيع البخار الخروج فيرتفع الضغط."
)
THAI = (
    "น้ำบนภูเขาเดือดที่อุณหภูมิต่ำกว่าเพราะอากาศกดผิวน้ำน้อยกว่า ดังนั้นการต้มพาสต้าจึงใช้เวลานานกว่าที่ริมทะเล "
    "หม้ออัดแรงดันทำงานตรงกันข้าม ไอน้ำออกไปไม่ได้ ความดันจึงสูงขึ้น และจุดเดือดก็สูงขึ้นด้วย"
)
GREETINGS = (
    "Here is how to say hello in ten languages:\n\n"
    "- Russian: Привет (privet)\n- Chinese: 你好 (nǐ hǎo)\n- Japanese: こんにちは (konnichiwa)\n"
    "- Korean: 안녕하세요 (annyeonghaseyo)\n"
    "- Arabic: مرحبا (marhaba)\n- Hebrew: שלום (shalom)\n- Hindi: नमस्ते (namaste)\n- Thai: สวัสดี (sawasdee)\n"
    "- Greek: Γειά σου (yia sou)\n- Georgian: გამარჯობა (gamarjoba)\n\n"
    "| Language | Hello | Thanks |\n|---|---|---|\n| Russian | Привет | Спасибо |\n| Chinese | 你好 | 谢谢 |\n"
    "| Korean | 안녕 | 감사합니다 |\n| Japanese | こんにちは | ありがとう |\n\n"
    "In a sentence: \u201cПривет\u201d and \u201c你好\u201d both mean hello, and so does \u201c안녕\u201d."
)
MATHS = (
    "Let λ be an eigenvalue of A and x its vector, so that Ax = λx. With ε > 0 and Δx → 0 we get ∂f/∂x ≈ Δf/Δx, hence "
    "|λ| ≤ ‖A‖. For σ² = 4 and μ = 10 the 95% interval is μ ± 1.96σ, that is from 6.08 to 13.92. The sum Σᵢ aᵢxᵢ has "
    "variance Σᵢ aᵢ²σᵢ² when the xᵢ are independent; the resistor had 10 kΩ, and the wave a length of 5 μm."
)

_NAMES = ("Ana", "Bela", "Chen", "Dina", "Emre", "Fay", "Goro", "Hana", "Ivo", "Jun", "Kofi", "Lea", "Mio", "Nils")


def numbered_list() -> str:
    """Thirty steps that begin alike."""
    things = ENGLISH.replace(".", "").split()
    return "\n".join(
        f"{number}. **Step {number}:** Make sure that the {things[number]} and the {things[number + 40]} are ready."
        for number in range(1, 31)
    )


def table() -> str:
    """A Markdown table of forty rows."""
    chance = random.Random(1)
    rows = (
        f"| {chance.choice(_NAMES)} | {chance.randrange(18, 80)} | Engineer | {chance.randrange(30, 99)},000 | yes |"
        for _ in range(40)
    )
    return "| Name | Age | Role | Salary | Active |\n|------|-----|------|--------|--------|\n" + "\n".join(rows)


def json_list() -> str:
    """Forty objects with the same keys."""
    chance = random.Random(2)
    people = [
        {"id": number, "name": chance.choice(_NAMES), "age": chance.randrange(18, 80), "active": True, "tags": []}
        for number in range(40)
    ]
    return "```json\n" + json.dumps(people, indent=2) + "\n```"


def csv() -> str:
    """A hundred rows of one form."""
    chance = random.Random(3)
    rows = (
        f"2026-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02},{chance.choice(_NAMES)},{chance.random():.2f}"
        for _ in range(100)
    )
    return "date,name,value\n" + "\n".join(rows)


def sql() -> str:
    """Fifty inserts."""
    chance = random.Random(4)
    return "\n".join(
        f"INSERT INTO users (id, name, age) VALUES ({number}, '{chance.choice(_NAMES)}', {chance.randrange(18, 80)});"
        for number in range(1, 51)
    )


def getters() -> str:
    """A class that says the same of each field."""
    fields = ("name", "age", "street", "city", "country", "phone", "mail", "birthday", "salary", "role", "team", "boss")
    return (
        "public class Person {\n"
        + "\n".join(
            f"    public String get{one.title()}() {{\n        return this.{one};\n    }}\n\n"
            f"    public void set{one.title()}(String {one}) {{\n        this.{one} = {one};\n    }}\n"
            for one in fields
        )
        + "}\n"
    )


def zeros() -> str:
    """A matrix of nothing."""
    row = "    [0, 0, 0, 0, 0, 0, 0, 0],\n"
    return "Here is an empty 8x8 board:\n\n```python\nboard = [\n" + row * 8 + "]\n```\n\nEach inner list is one row."


def html() -> str:
    """A table of thirty rows in HTML."""
    chance = random.Random(5)
    rows = (
        f'    <tr>\n      <td class="name">{chance.choice(_NAMES)}</td>\n'
        f"      <td>{chance.randrange(100)}</td>\n    </tr>\n"
        for _ in range(30)
    )
    return "<table>\n  <tbody>\n" + "".join(rows) + "  </tbody>\n</table>"


def chinese_list() -> str:
    """Twenty points that begin alike."""
    parts = CHINESE.replace("。", "，").split("，")
    return "\n".join(f"{number}. 第{number}步：请注意，{parts[number % len(parts)]}。" for number in range(1, 21))


CODE = '''def moving_average(values: list[float], window: int) -> list[float]:
    """Average of each window of values."""
    if window < 1:
        raise ValueError("window must be at least 1")
    total = sum(values[:window])
    averages = [total / window]
    for left, right in zip(values, values[window:]):
        total += right - left
        averages.append(total / window)
    return averages


def main() -> None:
    parser = argparse.ArgumentParser(description="Smooth a column of numbers")
    parser.add_argument("file", type=Path)
    parser.add_argument("--window", type=int, default=7)
    options = parser.parse_args()
    values = [float(line) for line in options.file.read_text().splitlines() if line.strip()]
    for value in moving_average(values, options.window):
        print(f"{value:.3f}")


if __name__ == "__main__":
    main()
'''
LYRICS = (
    "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, merrily, merrily,\nLife is but a dream.\n" * 3
)
COUNTING = ", ".join(map(str, range(1, 201)))
TIMES_TABLE = "\n".join(f"{a} x {b} = {a * b}" for a in range(1, 11) for b in range(1, 11))
RULE = "Summary\n" + "=" * 80 + "\n" + ENGLISH[:200] + "\n" + "-" * 80
DIALOGUE = "\n".join(f"Anna: {one.strip()}.\nBen: I see. Go on." for one in ENGLISH.split(".") if one)

GOOD: dict[str, str] = {
    "english": ENGLISH,
    "german": GERMAN,
    "french": FRENCH,
    "russian": RUSSIAN,
    "chinese": CHINESE,
    "japanese": JAPANESE,
    "korean": KOREAN,
    "arabic": ARABIC,
    "thai": THAI,
    "greetings": GREETINGS,
    "maths": MATHS,
    "numbered list": numbered_list(),
    "table": table(),
    "json list": json_list(),
    "compact json": json_list().replace("\n", "").replace("  ", ""),
    "csv": csv(),
    "sql": sql(),
    "getters": getters(),
    "zeros": zeros(),
    "html": html(),
    "chinese list": chinese_list(),
    "code": CODE,
    "lyrics": LYRICS,
    "counting": COUNTING,
    "times table": TIMES_TABLE,
    "rules": RULE,
    "dialogue": DIALOGUE,
}
"""No loop, whatever it looks like."""

LOOPS: dict[str, str] = {
    "sentence": "The tide turns and the keeper lights the lamp again. " * 20,
    "after a good start": ENGLISH[:600] + " and then the lamp is lit" * 40,
    "chinese phrase": CHINESE[:100] + "我们需要注意的是" * 60,
    "chinese sentence": "因此，在高原上煮面条要比在海边花更长的时间。" * 20,
    "japanese": JAPANESE[:80] + "そうですね。" * 80,
    "one character": ENGLISH[:300] + "!" * 600,
    "one word": "no" * 400,
    "line of code": CODE[:200] + "    total += right - left\n" * 30,
    "digits": "The result is 0." + "3" * 700,
    "blank lines": ENGLISH[:200] + "\n" * 600,
    "json": json_list()[:400] + '{"id": 7, "name": "Ana"}, ' * 40,
    "thai": THAI[:60] + "ไอน้ำออกไปไม่ได้" * 50,
    "long paragraph": ENGLISH * 8,
    "chinese paragraph": CHINESE * 8,
}


def lesson_repetition(text: str) -> bool:
    """The lesson's loop, written plainly, to hold ours against."""
    if len(text) < 100:
        return False
    words = text.lower().split()
    if len(words) < 8:
        return False
    counts: dict[tuple[str, ...], int] = {}
    for start in range(len(words) - 3):
        gram = tuple(words[start : start + 4])
        counts[gram] = counts.get(gram, 0) + 1
    return max(counts.values()) > 4
