build-fp/replica/lib/conf.o: replica/lib/conf.c replica/lib/conf.h \
 replica/lib/address.h replica/lib/conf_text.h replica/lib/wire.h \
 replica/lib/codec.h replica/lib/wire_member.h
replica/lib/conf.h:
replica/lib/address.h:
replica/lib/conf_text.h:
replica/lib/wire.h:
replica/lib/codec.h:
replica/lib/wire_member.h:
