#ifndef ROMAN_H
#define ROMAN_H

#define ROMAN_MAX 16 /* MMMDCCCLXXXVIII and its end */

/* Writes a number from 1 to 3999; 0 if it is none of these. */
int roman(int number, char out[ROMAN_MAX]);

#endif
