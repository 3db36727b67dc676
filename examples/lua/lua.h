/* A stand-in for Lua: just enough of it to be compiled, archived and linked in the same way. */
#ifndef lua_h
#define lua_h

typedef struct lua_State lua_State;

lua_State *lua_newstate(void);
void lua_close(lua_State *L);
void lua_pushnumber(lua_State *L, double n);
void lua_add(lua_State *L);
double lua_tonumber(const lua_State *L);

#endif
