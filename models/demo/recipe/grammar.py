"""The little language of the demo model: orders, digits, commands, wake words and a few requests.

python grammar.py            # print some sentences
"""

from __future__ import annotations

import random
import re

_UNITS = "one two three four five six seven eight nine".split()
_TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_FIRST = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_LATER = [f"{number}th" for number in _TEENS[3:]]
DIGITS = ("zero", *_UNITS)

# Alternatives are separated by "|"; "{name}" stands for one of another rule; "a/an" is decided by
# the word that follows.
_RULES: dict[str, str | list[str]] = {
    "coffee": "{carrier} a/an {drink}|{carrier} a/an {drink} with {extra}"
    "|{carrier} a/an {drink} with {milk} and {sugar}"
    "|{carrier} a/an {drink} with {sugar} and {milk}",
    "carrier": "brew|can i get|can i have|i want|get me|give me|i'd like|make me|may i have",
    "drink": "{kind}|{detail} {kind}|{size} {roast} {kind}|{roast} {shots} {kind}"
    "|{shots} {size} {kind}|{size} {shots} {roast} {kind}|{roast} {size} {shots} {kind}",
    "kind": "coffee|iced coffee|mocha|iced mocha|drip coffee|house coffee|espresso|americano"
    "|cappuccino|latte",
    "detail": "{size}|{roast}|{shots}",
    "size": "small|medium|large|eight ounce|twelve ounce|sixteen ounce|twenty ounce",
    "roast": "light roast|medium roast|dark roast",
    "shots": "single shot|double shot|triple shot",
    "extra": "{milk}|{sugar}",
    "milk": "{white}|{amount} {white}",
    "sugar": "{sweet}|{amount} {sweet}",
    "white": "milk|cream|whole milk|skim milk|soy milk|almond milk",
    "sweet": "sugar|brown sugar|sweetener",
    "amount": "some|a lot of|lots of|a bit of|a little bit of",
    "digit": list(DIGITS),
    "digits": [" ".join(["{digit}"] * n) for n in range(1, 9)],
    "word": "yes|no|up|down|left|right|on|off|stop|go|backward|forward|follow|learn|visual|bed"
    "|bird|cat|dog|happy|house|marvin|sheila|tree|wow|{digit}",
    "words": [" ".join(["{word}"] * n) for n in range(1, 5)],
    "letter": list("abcdefghijklmnopqrstuvwxyz"),
    "letters": [" ".join(["{letter}"] * n) for n in range(1, 7)],
    "control": "yes|no|stop|start|go|repeat|help|enter|erase|rubout|one hundred|cancel|okay",
    "wake": "alexa|computer|jarvis|smart mirror|snowboy|view glass|hey computer|athena|amelia",
    "unit": _UNITS,
    "ten": _TENS,
    "below hundred": [*_UNITS, *_TEENS, "{ten}", "{ten} {unit}", "{ten} {unit}", "{ten} {unit}"],
    "number": "zero|{below hundred}|{below hundred}|one hundred|{unit} hundred"
    "|{unit} hundred {below hundred}",
    "day": "monday|tuesday|wednesday|thursday|friday|saturday|sunday",
    "month": "january|february|march|april|may|june|july|august|september|october|november"
    "|december",
    "ordinal": [*_FIRST, *_LATER, "twentieth", "thirtieth", "thirty first"]
    + [f"twenty {ordinal}" for ordinal in _FIRST[:9]],
    "date": "{month} {ordinal}|{day} {month} {ordinal}",
    "hour": [*_UNITS, *_TEENS[:3]],
    "clock": "{hour}|{hour} o'clock|{hour} oh {unit}|{hour} {below hundred}|{hour} a m|{hour} p m"
    "|{hour} {ten} a m|{hour} {ten} p m",
    "duration": "one second|one minute|one hour|{below hundred} seconds|{below hundred} minutes"
    "|{below hundred} hours",
    "room": "kitchen|bedroom|bathroom|living room|office|hallway|garage|garden",
    "device": "light|lights|lamp|fan|heater|television|speaker|coffee machine|air conditioner"
    "|alarm",
    "switch": "on|off",
    "opening": "front door|back door|garage door|window|curtains|blinds",
    "way": "left|right|forward|backward|up|down",
    "request": "turn {switch} the {device}|turn {switch} the {room} {device}"
    "|turn the {room} {device} {switch}|switch {switch} the {room} {device}"
    "|set the {room} {device} to {below hundred} percent|dim the {room} lights"
    "|set the temperature to {below hundred} degrees|open the {opening}|close the {opening}"
    "|lock the {opening}|unlock the {opening}|set a timer for {duration}"
    "|set an alarm for {clock}|wake me up at {clock}|cancel the timer|stop the alarm"
    "|pause the music|resume the music|remind me today at {clock}|remind me tomorrow at {clock}"
    "|remind me on {day} at {clock}|play some music|play the radio|play the news"
    "|play my playlist|play the next song|play the previous song|call home|call mom|call dad"
    "|call the office|call the doctor|go {way}|move {way} {below hundred}|start the engine"
    "|stop the robot|start the camera|stop the recording|start the motor|take a picture"
    "|take a photo|volume up|volume down|turn up the volume|turn down the volume|mute|unmute"
    "|next song|previous song|pause|resume|what time is it|what is the weather today"
    "|what is the weather tomorrow|good morning|good night|thank you|hello|louder|quieter"
    "|stop the music",
}
_ALTERNATIVES = {
    name: rule if isinstance(rule, list) else rule.split("|") for name, rule in _RULES.items()
}
SHARES = {  # of the kinds of sentences
    "coffee": 36,
    "digits": 22,
    "words": 16,
    "request": 14,
    "wake": 4,
    "number": 3,
    "letters": 3,
    "date": 1,
    "control": 1,
}


def sentence(draw: random.Random) -> tuple[str, str]:
    """Draw a sentence: its kind and its words."""
    kind = draw.choices(list(SHARES), list(SHARES.values()))[0]
    return kind, _article(_expanded(kind, draw))


def _expanded(rule: str, draw: random.Random) -> str:
    alternative = draw.choice(_ALTERNATIVES[rule])
    return re.sub(r"{(.*?)}", lambda match: _expanded(match[1], draw), alternative)


def _article(text: str) -> str:
    return re.sub(r"a/an (?=(\w))", lambda m: "an " if m[1] in "aeiou" else "a ", text)


if __name__ == "__main__":
    chooser = random.Random(1)
    for _ in range(20):
        print(*sentence(chooser), sep="\t")
