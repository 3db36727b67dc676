#include "roman.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char text[ROMAN_MAX];
        if (!roman(atoi(argv[i]), text)) {
            fprintf(stderr, "roman: %s is not from 1 to 3999\n", argv[i]);
            return 1;
        }
        printf("%s%s", i > 1 ? " " : "", text);
    }
    putchar('\n');
    return 0;
}
