#include "roman.h"

#include <string.h>

int roman(int number, char out[ROMAN_MAX])
{
    static const struct { int value; const char *sign; } signs[] = {
        {1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
        {40, "XL"}, {10, "X"}, {9, "IX"}, {5, "V"}, {4, "IV"}, {1, "I"},
    };
    if (number < 1 || number > 3999)
        return 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        for (; number >= signs[i].value; number -= signs[i].value)
            strcat(out, signs[i].sign);
    return 1;
}
