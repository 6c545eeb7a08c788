"""Random values that sentences are about: people, places, dates, amounts. Many, so that copying is learned."""

from collections.abc import Callable
from random import Random

_FIRST = (
    *("Anna", "Ben", "Carla", "David", "Elena", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Karin", "Liam", "Maria"),
    *("Nora", "Oscar", "Paula", "Quentin", "Rosa", "Samuel", "Tara", "Uwe", "Vera", "Walter", "Yara", "Zoe", "Ahmed"),
    *(
        "Aiko",
        "Bjorn",
        "Chen",
        "Dmitri",
        "Fatima",
        "Giulia",
        "Hiro",
        "Ivan",
        "Jamal",
        "Keiko",
        "Leila",
        "Mateo",
        "Olga",
    ),
    *("Priya", "Raj", "Sofia", "Tomas", "Emma", "Lucas", "Mia", "Noah", "Olivia", "Peter", "Laura", "Mark", "Julia"),
)
_LAST = (
    *("Weber", "Smith", "Rossi", "Dubois", "Garcia", "Novak", "Tanaka", "Khan", "Silva", "Jensen", "Kowalski", "Brown"),
    *("Miller", "Fischer", "Lopez", "Moreau", "Ivanova", "Sato", "Patel", "Nguyen", "Olsen", "Berg", "Keller", "Ortiz"),
    *("Hughes", "Baker", "Clark", "Evans", "Ford", "Grant", "Hill", "Jones", "King", "Lee", "Moore", "Price", "Reed"),
)
_CITY = (
    *(
        "Berlin",
        "Lyon",
        "Porto",
        "Oslo",
        "Madrid",
        "Vienna",
        "Prague",
        "Zurich",
        "Boston",
        "Chicago",
        "Denver",
        "Toronto",
    ),
    *(
        "Sydney",
        "Osaka",
        "Seoul",
        "Delhi",
        "Cairo",
        "Lagos",
        "Nairobi",
        "Lima",
        "Bogota",
        "Helsinki",
        "Dublin",
        "Athens",
    ),
    *(
        "Rome",
        "Milan",
        "Paris",
        "London",
        "Munich",
        "Hamburg",
        "New York",
        "San Diego",
        "Cape Town",
        "Tokyo",
        "Beijing",
    ),
)
_COMPANY_END = ("GmbH", "Inc", "Ltd", "AG", "Corp", "Group", "Labs", "Systems", "Foods", "Motors", "Books", "Energy")
_PRODUCT = (
    *(
        "lamps",
        "chairs",
        "laptops",
        "notebooks",
        "pencils",
        "tables",
        "bicycles",
        "headphones",
        "monitors",
        "keyboards",
    ),
    *("cables", "books", "printers", "cameras", "tents", "shoes", "jackets", "mugs", "phones", "routers", "screws"),
)
_MONTH = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November"),
    "December",
)
_WEEKDAY = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_JOB = (
    *(
        "nurse",
        "teacher",
        "engineer",
        "lawyer",
        "baker",
        "designer",
        "doctor",
        "plumber",
        "pilot",
        "chef",
        "accountant",
    ),
    *("journalist", "electrician", "architect", "programmer", "driver"),
)
_ZH_FAMILY = "王李张刘陈杨黄赵周吴徐孙马朱胡郭何林高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈"
_ZH_GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文辉力志飞晓燕红梅鑫波雪婷宇浩然子涵欣怡思雨晨阳佳琪"
)
_ZH_CITY = (
    *(
        "北京",
        "上海",
        "广州",
        "深圳",
        "杭州",
        "南京",
        "成都",
        "武汉",
        "西安",
        "重庆",
        "苏州",
        "天津",
        "长沙",
        "青岛",
        "厦门",
    ),
    *(
        "大连",
        "昆明",
        "郑州",
        "沈阳",
        "宁波",
        "福州",
        "合肥",
        "济南",
        "哈尔滨",
        "贵阳",
        "南宁",
        "拉萨",
        "兰州",
        "台北",
        "香港",
    ),
)
_ZH_COMPANY = ("科技", "贸易", "电子", "软件", "食品", "能源", "物流", "医药")
_ZH_PRODUCT = (
    "台灯",
    "椅子",
    "笔记本电脑",
    "铅笔",
    "自行车",
    "耳机",
    "显示器",
    "键盘",
    "数据线",
    "图书",
    "打印机",
    "相机",
    "手机",
    "水杯",
)
_ZH_JOB = ("护士", "老师", "工程师", "律师", "厨师", "设计师", "医生", "会计", "记者", "司机", "程序员", "飞行员")
_CONSONANTS, _VOWELS = "bcdfghjklmnprstvwz", "aeiou"


def made_up_word(random: Random, syllables: int = 0) -> str:
    """Return a pronounceable word that is in no dictionary, lower case."""
    count = syllables or random.choice((2, 2, 3))
    return (
        "".join(random.choice(_CONSONANTS) + random.choice(_VOWELS) for _ in range(count))
        + random.choice("nrlst ").strip()
    )


def _often(known: Callable[[Random], str]) -> Callable[[Random], str]:
    """Return a known value three times in four, else a made-up word."""
    return lambda random: known(random) if random.random() < 0.75 else made_up_word(random).capitalize()


def _person(random: Random) -> str:
    first = _often(lambda r: r.choice(_FIRST))(random)
    return first if random.random() < 0.35 else f"{first} {_often(lambda r: r.choice(_LAST))(random)}"


def _date(random: Random) -> str:
    day, month, year = random.randint(1, 28), random.randrange(12), random.randint(1980, 2032)
    return random.choice(
        (
            *(
                f"{_MONTH[month]} {day}, {year}",
                f"{day} {_MONTH[month]} {year}",
                f"{_MONTH[month]} {day}",
                f"{day} {_MONTH[month]}",
            ),
            *(
                f"{year}-{month + 1:02}-{day:02}",
                f"{day}.{month + 1}.{year}",
                f"{month + 1}/{day}/{year}",
                random.choice(_WEEKDAY),
            ),
        )
    )


def _amount(random: Random) -> str:
    number = random.choice(
        (
            str(random.randint(2, 999)),
            f"{random.randint(1, 99)}.{random.randint(10, 99)}",
            f"{random.randint(1, 9)},{random.randint(100, 999)}",
        )
    )
    return random.choice(
        (
            f"${number}",
            f"€{number}",
            f"£{number}",
            f"{number} euros",
            f"{number} dollars",
            f"{number} EUR",
            f"{number} USD",
        )
    )


def _email(random: Random) -> str:
    user = random.choice((random.choice(_FIRST).lower(), made_up_word(random)))
    if random.random() < 0.5:
        user += random.choice(".-_") + random.choice((random.choice(_LAST).lower(), made_up_word(random)))
    host = random.choice((made_up_word(random), "example", "mail", "post", "web", "office"))
    return f"{user}@{host}.{random.choice(('com', 'org', 'net', 'de', 'io', 'eu', 'fr', 'cn'))}"


def _phone(random: Random) -> str:
    def digits(count: int) -> str:
        return "".join(random.choice("0123456789") for _ in range(count))

    return random.choice(
        (f"+{random.randint(1, 99)} {digits(3)} {digits(4)}", f"555-{digits(4)}", f"0{digits(3)} {digits(6)}")
    )


def _time(random: Random) -> str:
    hour, minute = random.randint(0, 23), random.choice((0, 5, 10, 15, 20, 30, 40, 45, 50))
    return random.choice(
        (f"{hour}:{minute:02}", f"{hour:02}:{minute:02}", f"{hour % 12 + 1} {random.choice(('am', 'pm'))}")
    )


def _order(random: Random) -> str:
    return random.choice("ABCDKMRTX") + random.choice(("-", "")) + str(random.randint(100, 99999))


def _zh_date(random: Random) -> str:
    day, month, year = random.randint(1, 28), random.randint(1, 12), random.randint(1980, 2032)
    weekday = "周" + random.choice("一二三四五六日")
    return random.choice(
        (f"{year}年{month}月{day}日", f"{month}月{day}日", f"{year}-{month:02}-{day:02}", weekday, "明天")
    )


def _zh_phone(random: Random) -> str:
    return "1" + random.choice("3578") + "".join(random.choice("0123456789") for _ in range(9))


def _zh_person(random: Random) -> str:
    return random.choice(_ZH_FAMILY) + "".join(random.choice(_ZH_GIVEN) for _ in range(random.randint(1, 2)))


def _zh_amount(random: Random) -> str:
    number = random.choice((str(random.randint(2, 9999)), f"{random.randint(1, 99)}.{random.randint(10, 99)}"))
    return random.choice((f"{number}元", f"{number}块", f"¥{number}", f"{number}美元", f"{number}欧元"))


def _zh_company(random: Random) -> str:
    return (
        random.choice(_ZH_GIVEN) + random.choice(_ZH_GIVEN) + random.choice(_ZH_COMPANY) + random.choice(("", "公司"))
    )


ENGLISH: dict[str, Callable[[Random], str]] = {
    "name": _person,
    "city": _often(lambda random: random.choice(_CITY)),
    "date": _date,
    "amount": _amount,
    "email": _email,
    "phone": _phone,
    "company": lambda random: f"{made_up_word(random).capitalize()} {random.choice(_COMPANY_END)}",
    "product": _often(lambda random: random.choice(_PRODUCT)),
    "quantity": lambda random: str(random.randint(2, 99)),
    "time": _time,
    "order": _order,
    "age": lambda random: str(random.randint(18, 90)),
    "job": lambda random: random.choice(_JOB),
}
CHINESE: dict[str, Callable[[Random], str]] = {
    **ENGLISH,
    "name": _zh_person,
    "city": lambda random: random.choice(_ZH_CITY),
    "date": _zh_date,
    "amount": _zh_amount,
    "phone": _zh_phone,
    "company": _zh_company,
    "product": lambda random: random.choice(_ZH_PRODUCT),
    "time": lambda random: random.choice(
        (
            f"{random.randint(0, 23)}:{random.randint(10, 59)}",
            f"{random.choice(('上午', '下午', '晚上'))}{random.randint(1, 11)}点",
        )
    ),
    "job": lambda random: random.choice(_ZH_JOB),
}
